// Products with weights. Contract: ops/linear.h.
//
// Forward and dx: an item is 96 rows by a strip of columns; the panels of the strip pass the rows
// while those stay in the second cache. dW: some rows of dy and x at a time pass the whole
// gradient, each item owns a part of it and continues its chains, so neither the number of threads
// nor the cut of the rows into calls changes a bit.
#include "../ops/linear.h"

#include <algorithm>

#include "../ops/run.h"
#include "loops.h"
#include "outer.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kPage = 1024, kLine = 16;  // floats

// Rows [row, row + count) of x as they are. Rows a multiple of `apart` floats from each other share
// few sets of the caches: such rows are copied to others a line further apart.
Tensor spread(const Stream& stream, const Tensor& x, int64_t row, int64_t count, int64_t apart) {
  const Tensor rows = x.slice(row, count);
  if (x.cols % apart != 0) return rows;
  const Tensor copy = stream.scratch().tensor(count, x.cols + kLine);
  over_rows(stream, count, x.cols, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::copy_n(rows.f32() + i * x.cols, x.cols, copy.f32() + i * copy.cols);
    }
  });
  return copy;
}

// The same product for all rows of x and all columns, cut into items. Rows some pages apart share
// one set of the first cache, where no twelve have room at once: left there, a depth of 1024, 3072
// or 4096 lost a tenth. Rows that are copied serve many columns.
void multiply(const Stream& stream, const Tensor& x, const Product& whole) {
  const int64_t wide = x.cols % kPage == 0 ? 384 : 0;
  const auto part_of = [&](const Strip& strip) {
    const int64_t at = strip.row * whole.c_row + strip.column;
    const Tensor a = spread(stream.alone(strip.worker), x, strip.row, strip.rows, kPage);
    Product part = whole;
    part.a = a.f32();
    part.a_row = a.cols;
    part.b += strip.column / kPanel * whole.b_panel;
    part.c += at;
    part.rows = strip.rows;
    part.columns = strip.columns;
    if (part.epilogue.bias) part.epilogue.bias += strip.column;
    if (part.epilogue.pre) part.epilogue.pre += at;
    if (part.epilogue.gate_pre) part.epilogue.gate_pre += at;
    kernels().product(part);
  };
  for_each_strip(stream, whole.rows, whole.columns, whole.depth, part_of, wide);
}

constexpr int64_t kDepth = 256;    // rows of dy and x that pass a gradient at once
constexpr int64_t kTallItem = 96;  // rows of the gradient of one item

// Columns of the gradient of one item: so many that every thread has some items.
int64_t width_of_item(const Stream& stream, int64_t rows, int64_t columns, int64_t depth) {
  const int64_t wanted = stream.threads() > 1 ? 4 * stream.threads() : 1;
  const int64_t strips = ceil_div(wanted, ceil_div(rows, kTallItem));
  const int64_t limit = std::max<int64_t>(32, kItem / (kTallItem * depth) / 32 * 32);
  return std::min(limit, std::max<int64_t>(64, ceil_div(ceil_div(columns, strips), 32) * 32));
}

// Columns [column, column + columns) of x, a line of kTallItem floats a row.
Tensor columns_of(const Tensor& x, int64_t column, int64_t columns, Arena& scratch) {
  const Tensor copy = scratch.tensor(x.rows, kTallItem);
  for (int64_t row = 0; row < x.rows; ++row) {
    std::copy_n(x.f32() + row * x.cols + column, columns, copy.f32() + row * copy.cols);
  }
  return copy;
}

// Adds what `count` rows from `first` on give. A part of them is worth a pass over the gradient and
// fits the second cache with the columns of some tiles. A small tile has 12 fmas for a row, too few
// to hide that each row is on another page: it reads dy from a copy of its item's columns (and x
// from one of its own, kernels/outer.h). With AVX2 on Zen 4 both brought 15 to 25 %, from 66 to 79
// % of the peak to 80 to 88; tiles of 24 fmas gained nothing.
void add_depth(const Stream& stream, const LinearBackwardWeight& op, int64_t first, int64_t count) {
  Scope scope(stream.scratch());
  const int64_t rows = op.dy.cols, columns = op.dweight.empty() ? 1 : op.x.cols;
  const bool is_small = kernels().tile_rows < 12;
  const Tensor dy =
      is_small ? op.dy.slice(first, count) : spread(stream, op.dy, first, count, 4 * kPage);
  const Tensor x = op.dweight.empty() ? Tensor{} : spread(stream, op.x, first, count, kPage);
  const int64_t tall = ceil_div(rows, kTallItem),
                wide = width_of_item(stream, rows, columns, count);
  stream.parallel_for(tall * ceil_div(columns, wide), [&](int64_t item, int worker) {
    const int64_t row = item % tall * kTallItem, column = item / tall * wide;
    const int64_t height = std::min(kTallItem, rows - row);
    const float* a = dy.f32() + row;
    if (column == 0 && !op.dbias.empty()) {
      kernels().sum_rows(a, dy.cols, count, height, op.dbias.f32() + row);
    }
    if (op.dweight.empty()) return;
    const Tensor near = is_small ? columns_of(dy, row, height, stream.scratch(worker)) : Tensor{};
    if (is_small) a = near.f32();
    kernels().outer_product({a, is_small ? near.cols : dy.cols, x.f32() + column, x.cols,
                             op.dweight.f32() + row * columns + column, columns, height,
                             std::min(wide, columns - column), count});
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
  multiply(stream, op.x, p);
}

template <>
void run<LinearBackwardInput>(const Stream& stream, const LinearBackwardInput& op) {
  Product p{op.dy.f32(), op.dy.cols, false,      op.packed.f32(), op.packed.cols, op.dx.f32(),
            op.dx.cols,  op.dy.rows, op.dx.cols, op.dy.cols,      op.accumulate};
  if (op.activation != Activation::None) {
    p.epilogue.gate = op.activation;
    p.epilogue.gate_pre = op.pre.f32();
  }
  multiply(stream, op.dy, p);
}

template <>
void run<LinearBackwardWeight>(const Stream& stream, const LinearBackwardWeight& op) {
  for (int64_t row = 0; row < op.x.rows; row += kDepth) {
    add_depth(stream, op, row, std::min(kDepth, op.x.rows - row));
  }
}

}  // namespace inbatch::cpu
