// The vectors of a contrastive softmax, and how those that pass by are laid out for products.
#pragma once

#include <algorithm>

#include "contrast_marks.h"
#include "strips.h"

namespace inbatch::cpu {

inline int64_t rounded(int64_t n, int64_t unit) { return ceil_div(n, unit) * unit; }

// One of the two sets of vectors. The factors of a pair multiply its dot product to the score.
struct Side {
  const float* x;
  int64_t count, width;
  const float* factor;  // (widths, factor_row), padded with zeros to whole panels
  int64_t factor_row;
  const float* scale;  // (count, widths); null: none
};

inline Side side_of(Arena& arena, const Tensor& x, const Tensor& scale, double divisor,
                    int64_t widths = 1) {
  const int64_t padded = panels_of(x.rows) * kPanel;
  float* factor = arena.tensor(widths, padded).f32();
  for (int64_t i = 0; i < widths * padded; ++i) {
    const int64_t width = i / padded, row = i % padded;
    const bool is_scaled = !scale.empty() && row < x.rows;
    const double length = is_scaled ? double(scale.f32()[row * widths + width]) : 1.0;
    factor[i] = row < x.rows ? float(length / divisor) : 0.0f;
  }
  return {x.f32(), x.rows, x.cols, factor, padded, scale.f32()};
}

struct Slab {
  int64_t length;  // vectors at most
  Span span;
  float* keys;    // panels of 16 vectors as [element][vector]
  float* values;  // for each tile, panels of 16 elements as [vector][element]; null: not wanted
  float* guide;   // the guide's keys, or null
};

inline void pack_values(const Side& side, const Slab& slab, Span panel) {
  const int64_t at = panel.begin - slab.span.begin, tile = at / kLanes * kLanes;
  const int64_t depth = std::min(kLanes, slab.span.count - tile);
  float* out = slab.values + tile * rounded(side.width, kPanel) + (at - tile) * kPanel;
  for (int64_t j = 0; j < side.width; j += kPanel, out += kPanel * depth) {
    const int64_t n = std::min(kPanel, side.width - j);
    for (int64_t i = 0; i < panel.count; ++i) {
      const float* in = side.x + (panel.begin + i) * side.width + j;
      std::copy_n(in, n, out + i * kPanel);
      std::fill(out + i * kPanel + n, out + (i + 1) * kPanel, 0.0f);
    }
  }
}

inline void pack_keys(const Side& side, const Slab& slab, Span panel, float* keys) {
  kernels().transpose_panels(side.x + panel.begin * side.width, side.width, panel.count, side.width,
                             keys + (panel.begin - slab.span.begin) * side.width);
}

}  // namespace inbatch::cpu
