// Products with weights. Contract: ops/linear.h.
//
// Forward and dx: an item is 96 rows by a strip of columns; the panels of the strip pass the rows
// while those stay in the second cache. dW: blocks of rows of dy and x are packed once, then
// each item owns a tile of dweight and continues its chains, so neither the number of threads nor
// the cut of the rows into calls changes a bit.
#include "../ops/linear.h"

#include <algorithm>

#include "../ops/run.h"
#include "outer.h"

namespace inbatch::cpu {
namespace {

// Rows of dy and x that are packed at once. A large gradient, which no cache keeps, is read and
// written once for each of them: of 3072 x 768 and 256 rows at a time that cost a fifth.
inline int64_t depth_for(const Tensor& dweight) {
  return dweight.size() < int64_t(1) << 19 ? 256 : 1024;
}

// Rows some pages apart share one set of the first cache, where no twelve have room at once: such
// rows are copied to others a line further apart. Without it a depth of 1024, 3072 or 4096 lost a
// tenth.
void spread_rows(Product& part, Arena& scratch) {
  constexpr int64_t kPage = 1024, kLine = 16;  // floats
  if (part.a_row % kPage != 0) return;
  const Tensor rows = scratch.tensor(part.rows, part.depth + kLine);
  for (int64_t row = 0; row < part.rows; ++row) {
    std::copy_n(part.a + row * part.a_row, part.depth, rows.f32() + row * rows.cols);
  }
  part.a = rows.f32();
  part.a_row = rows.cols;
}

// The same product for all rows and columns, cut into items.
void multiply(const Stream& stream, const Product& whole) {
  for_each_strip(stream, whole.rows, whole.columns, whole.depth, [&](const Strip& strip) {
    const int64_t at = strip.row * whole.c_row + strip.column;
    Product part = whole;
    part.a += strip.row * whole.a_row;
    part.b += strip.column / kPanel * whole.b_panel;
    part.c += at;
    part.rows = strip.rows;
    part.columns = strip.columns;
    if (part.epilogue.bias) part.epilogue.bias += strip.column;
    if (part.epilogue.pre) part.epilogue.pre += at;
    if (part.epilogue.gate_pre) part.epilogue.gate_pre += at;
    spread_rows(part, stream.scratch(strip.worker));
    kernels().product(part);
  });
}

struct Packed {
  float *dy, *x;      // groups of tile_rows columns of dy; panels of x
  int64_t dy_groups;  // columns of dy rounded up to whole groups
};

void pack_block(const Stream& stream, const Tensor& x, const Tensor& dy, const Packed& packed) {
  const int64_t unit = kernels().tile_rows, depth = x.rows;
  stream.parallel_for(ceil_div(depth, kPacked), [&](int64_t item, int) {
    const int64_t row = item * kPacked, count = std::min(kPacked, depth - row);
    pack_groups(dy.slice(row, count), 0, dy.cols, depth, packed.dy + row * unit);
    pack_panels(x.slice(row, count), 0, x.cols, depth, packed.x + row * kPanel);
  });
}

// Adds packed columns [begin, end), each a chain over the rows in order; `begin` starts a group.
void add_columns(const float* packed, int64_t depth, int64_t begin, int64_t end, float* dbias) {
  const int64_t unit = kernels().tile_rows;
  for (int64_t column = begin; column < end; column += unit) {
    const float* group = packed + column * depth;
    const int64_t n = std::min(unit, end - column);
    for (int64_t row = 0; row < depth; ++row, group += unit) {
      for (int64_t i = 0; i < n; ++i) dbias[column + i] += group[i];
    }
  }
}

void add_block(const Stream& stream, const Packed& packed, int64_t depth,
               const LinearBackwardWeight& op) {
  const int64_t rows = op.dy.cols, columns = op.dweight.empty() ? 1 : op.x.cols;
  const Outer outer{packed.dy, packed.x, depth, depth, op.dweight.f32(), columns, rows, columns};
  for_each_tile(stream, rows, columns, [&](int64_t row, int64_t column) {
    if (!op.dweight.empty()) add_tile(outer, row, column);
    if (op.dbias.empty() || column > 0) return;
    add_columns(packed.dy, depth, row, std::min(rows, row + kTall), op.dbias.f32());
  });
}

}  // namespace

template <>
void run<LinearPack>(const Stream& stream, const LinearPack& op) {
  const Tensor& w = op.weight;
  const int64_t panels = op.packed.rows, depth = op.packed.cols / kPanel;
  stream.parallel_for(panels, [&](int64_t panel, int) {
    float* out = op.packed.f32() + panel * op.packed.cols;
    if (op.transposed) {
      return pack_panels(w, panel * kPanel, (panel + 1) * kPanel, w.rows, op.packed.f32());
    }
    kernels().transpose_panels(w.f32() + panel * kPanel * depth, depth,
                               std::min(kPanel, w.rows - panel * kPanel), depth, out);
  });
}

template <>
void run<LinearUnpack>(const Stream& stream, const LinearUnpack& op) {
  constexpr int64_t kRowsAtOnce = 64;
  const Tensor& w = op.weight;
  stream.parallel_for(ceil_div(w.rows, kRowsAtOnce), [&](int64_t item, int) {
    const int64_t end = std::min(w.rows, (item + 1) * kRowsAtOnce);
    for (int64_t r = item * kRowsAtOnce; r < end; ++r) {
      const int64_t row = op.row + r;
      const float* in = op.packed.f32() + row / kPanel * op.packed.cols + row % kPanel;
      for (int64_t k = 0; k < w.cols; ++k) w.f32()[r * w.cols + k] = in[k * kPanel];
    }
  });
}

template <>
void run<LinearForward>(const Stream& stream, const LinearForward& op) {
  Product p{op.x.f32(), op.x.cols, false,     op.packed.f32(), op.packed.cols,
            op.y.f32(), op.y.cols, op.x.rows, op.y.cols,       op.x.cols};
  p.epilogue.bias = op.bias.f32();
  p.epilogue.activation = op.activation;
  p.epilogue.pre = op.pre.f32();
  multiply(stream, p);
}

template <>
void run<LinearBackwardInput>(const Stream& stream, const LinearBackwardInput& op) {
  Product p{op.dy.f32(), op.dy.cols, false,      op.packed.f32(), op.packed.cols, op.dx.f32(),
            op.dx.cols,  op.dy.rows, op.dx.cols, op.dy.cols,      op.accumulate};
  if (op.activation != Activation::None) {
    p.epilogue.gate = op.activation;
    p.epilogue.gate_pre = op.pre.f32();
  }
  multiply(stream, p);
}

template <>
void run<LinearBackwardWeight>(const Stream& stream, const LinearBackwardWeight& op) {
  const int64_t unit = kernels().tile_rows;
  const int64_t deep = std::min(depth_for(op.dweight), op.x.rows);
  if (deep == 0) return;
  Scope scope(stream.scratch());
  Packed packed;
  packed.dy_groups = ceil_div(op.dy.cols, unit) * unit;
  packed.dy = stream.scratch().tensor(packed.dy_groups, deep).f32();
  packed.x = stream.scratch().tensor(panels_of(op.x.cols) * kPanel, deep).f32();
  for (int64_t row = 0; row < op.x.rows; row += deep) {
    const int64_t count = std::min(deep, op.x.rows - row);
    pack_block(stream, op.x.slice(row, count), op.dy.slice(row, count), packed);
    add_block(stream, packed, count, op);
  }
}

}  // namespace inbatch::cpu
