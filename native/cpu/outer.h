// c += a^T b for a (depth, rows) and b (depth, columns), both packed first.
//
// Packed are groups of tile_rows columns of a, [group][row][tile_rows], and panels of 16 columns of
// b, [panel][row][16]. Each element of c is one chain over the rows in order that begins with its
// present value, so how the depth is cut changes no bit.
#pragma once

#include <algorithm>
#include <cstring>

#include "kernels.h"
#include "strips.h"

namespace inbatch::cpu {

// Sixteen floats of x from `at` on, or as many as it still has.
inline void copy_panel(const Tensor& x, int64_t at, float* out) {
  if (at + kPanel <= x.size()) {
    std::memcpy(out, x.f32() + at, kPanel * sizeof(float));
  } else {
    std::copy(x.f32() + at, x.f32() + x.size(), out);
  }
}

// Packs columns [begin, end) of a, absent ones as zeros; `begin` starts a group, and groups are
// `depth` rows apart. A row of a group is written as sixteen, and the next one over what was too
// much.
inline void pack_groups(const Tensor& a, int64_t begin, int64_t end, int64_t depth, float* packed) {
  const int64_t unit = kernels().tile_rows;
  for (int64_t row = 0; row < a.rows; ++row) {
    const bool has_next = row + kPanel / unit < a.rows;
    for (int64_t column = begin; column < end; column += unit) {
      const int64_t n = std::min(unit, a.cols - column), at = row * a.cols + column;
      float* out = packed + column * depth + row * unit;
      if (n == unit && has_next) {
        copy_panel(a, at, out);
        continue;
      }
      for (int64_t i = 0; i < unit; ++i) out[i] = i < n ? a.f32()[at + i] : 0.0f;
    }
  }
}

// Packs columns [begin, end) of b; `begin` starts a panel, and panels are `depth` rows apart.
inline void pack_panels(const Tensor& b, int64_t begin, int64_t end, int64_t depth, float* packed) {
  for (int64_t row = 0; row < b.rows; ++row) {
    for (int64_t column = begin; column < end; column += kPanel) {
      const int64_t n = std::min(kPanel, b.cols - column), at = row * b.cols + column;
      float* out = packed + column * depth + row * kPanel;
      if (n == kPanel) {
        copy_panel(b, at, out);
        continue;
      }
      for (int64_t i = 0; i < kPanel; ++i) out[i] = i < n ? b.f32()[at + i] : 0.0f;
    }
  }
}

constexpr int64_t kPacked = 32;  // rows that one item packs, all their columns in order

struct Outer {
  const float *a, *b;  // packed
  int64_t packed;      // rows of what is packed
  int64_t depth;       // of these are multiplied
  float* c;
  int64_t c_row, rows, columns;
};

constexpr int64_t kTall = 48, kWide = 384;  // a multiple of every tile_rows; whole panels

// work(row, column) for every tile of c.
template <class Work>
void for_each_tile(const Stream& stream, int64_t rows, int64_t columns, const Work& work) {
  const int64_t tall = ceil_div(rows, kTall), wide = ceil_div(columns, kWide);
  stream.parallel_for(tall * wide,
                      [&](int64_t item, int) { work(item % tall * kTall, item / tall * kWide); });
}

inline void add_tile(const Outer& p, int64_t row, int64_t column) {
  kernels().product({p.a + row * p.packed, p.packed, true, p.b + column * p.packed,
                     kPanel * p.packed, p.c + row * p.c_row + column, p.c_row,
                     std::min(kTall, p.rows - row), std::min(kWide, p.columns - column), p.depth,
                     true});
}

}  // namespace inbatch::cpu
