// Pooling: the rows of each text become one row; and rows of unit length.
#pragma once

#include "op.h"
#include "types.h"

namespace inbatch {

// What both directions of pooling expect of their operands.
struct Pooled {
  Pooling kind;
  int64_t at, columns;
  const Tensor &offsets, &skip, &argmax, &power;
};

inline void expect_pooled(const char* op, const char* field, const Tensor& rows,
                          const Pooled& pooled) {
  const int64_t texts = pooled.offsets.size() - 1, end = pooled.at + pooled.columns;
  expect_rows(op, field, rows, texts);
  expect(pooled.at >= 0 && end <= rows.cols, op,
         std::string("expected ") + field + " of at least " + std::to_string(end) +
             " columns, got " + std::to_string(rows.cols));
  expect_type(op, "offsets", pooled.offsets, Type::I32);
  expect_type(op, "skip", pooled.skip, Type::I32);
  expect_type(op, "argmax", pooled.argmax, Type::I32);
  if (!pooled.skip.empty()) expect_size(op, "skip", pooled.skip, texts);
  if (!pooled.argmax.empty()) expect_shape(op, "argmax", pooled.argmax, texts, pooled.columns);
  if (pooled.kind == Pooling::Gem) expect_size(op, "power", pooled.power, 1);
}

// y[n, at + c] = pool over the rows of text n, without its first skip[n], of x[row, c].
//
//   Cls           the first of these rows
//   Max           the largest element; what is no number is larger than everything
//   Mean          their sum divided by their number
//   MeanSqrtLen   their sum divided by the root of their number
//   WeightedMean  the sum of w x divided by the sum of w, w the place of a row in its text from 1
//                 (skipped rows count: the rows after them keep the weight they had)
//   Last          the last of these rows
//   Gem           the p-th root of the mean of max(x, 1e-6)^p (generalised mean, Radenovic et al.
//                 2018), computed in f64; p is a number of its own
//
//   at       column of y where these C columns begin; several poolings lie side by side
//   x        (T, C) f32, on a card also bf16
//   offsets  (N + 1) i32, rising, offsets[0] = 0, offsets[N] = T
//   skip     (N) i32, at least 0, or empty
//   y        (N, at least at + C) f32, columns [at, at + C) overwritten, the others left alone
//   argmax   (N, C) i32, overwritten when kind is Max: the row of x, the first of equal ones, -1
//            where there is none; empty for other kinds, and when there is no backward
//   power    (1) f32, the p of Gem, above 0; empty for other kinds
//
// Sums run in row order. A text of which no rows are left pools to zero.
struct PoolForward {
  Pooling kind = Pooling::Mean;
  int32_t at = 0;
  Tensor x, offsets, skip, y, argmax, power;

  static constexpr auto name = "poolForward";
  static constexpr auto fields() {
    using Op = PoolForward;
    return std::tuple{field("kind", &Op::kind),       field("at", &Op::at),      field("x", &Op::x),
                      field("offsets", &Op::offsets), field("skip", &Op::skip),  field("y", &Op::y),
                      field("argmax", &Op::argmax),   field("power", &Op::power)};
  }
  void check() const {
    expect_pooled(name, "y", y, {kind, at, x.cols, offsets, skip, argmax, power});
    expect_one_type(name, {{"x", x}});
    expect_f32(name, {{"y", y}, {"power", power}});
  }
};

// The gradient of PoolForward with respect to x, and to the p of Gem.
//
//   kind, at, offsets, skip, argmax, power   as there
//   add  whether the gradient is added to dx; otherwise dx is overwritten in full
//   dy   (N, at least at + C) f32
//   dx   (T, C) f32, on a card also bf16
//   x       (T, C) type of dx, as there, for Gem; empty for other kinds. What lies below 1e-6 has
//           no gradient
//   dpower  (1) added to, text by text in their order, or empty
struct PoolBackward {
  Pooling kind = Pooling::Mean;
  int32_t at = 0;
  bool add = false;
  Tensor dy, offsets, skip, argmax, dx, x, power, dpower;

  static constexpr auto name = "poolBackward";
  static constexpr auto fields() {
    using Op = PoolBackward;
    return std::tuple{
        field("kind", &Op::kind),     field("at", &Op::at),           field("add", &Op::add),
        field("dy", &Op::dy),         field("offsets", &Op::offsets), field("skip", &Op::skip),
        field("argmax", &Op::argmax), field("dx", &Op::dx),           field("x", &Op::x),
        field("power", &Op::power),   field("dpower", &Op::dpower)};
  }
  void check() const {
    expect_pooled(name, "dy", dy, {kind, at, dx.cols, offsets, skip, argmax, power});
    if (kind == Pooling::Max) expect_shape(name, "argmax", argmax, dy.rows, dx.cols);
    if (kind == Pooling::Gem) expect_same_shape(name, "x", x, dx);
    if (!dpower.empty()) expect_size(name, "dpower", dpower, 1);
    expect_one_type(name, {{"dx", dx}});
    if (kind == Pooling::Gem) expect_one_type(name, {{"dx", dx}, {"x", x}});
    expect_f32(name, {{"dy", dy}, {"power", power}, {"dpower", dpower}});
  }
};

// y (+)= (weights[layer] / sum of weights) x: one layer of the weighted mean of several.
//
//   layer    which weight
//   add      whether the result is added to y; otherwise y is overwritten
//   x        (T, C) f32, on a card also bf16
//   weights  (1, L) f32
//   y        (T, C) f32
struct LayerMeanForward {
  int32_t layer = 0;
  bool add = false;
  Tensor x, weights, y;

  static constexpr auto name = "layerMeanForward";
  static constexpr auto fields() {
    using Op = LayerMeanForward;
    return std::tuple{field("layer", &Op::layer), field("add", &Op::add), field("x", &Op::x),
                      field("weights", &Op::weights), field("y", &Op::y)};
  }
  void check() const {
    expect_same_shape(name, "y", y, x);
    expect_one_type(name, {{"x", x}});
    expect_f32(name, {{"weights", weights}, {"y", y}});
    expect(layer >= 0 && layer < weights.size(), name, "expected a layer that has a weight");
  }
};

// The gradient of LayerMeanForward with respect to x, and the part of this layer in that of the
// weights.
//
//   layer, weights  as there
//   x     (T, C) as there
//   dy    (T, C) f32
//   dx    (T, C) type of x, added to when add, otherwise overwritten; not dy
//   dots  (T, L) f32, column layer overwritten with dy . x of each row
struct LayerMeanBackward {
  int32_t layer = 0;
  bool add = false;
  Tensor x, weights, dy, dx, dots;

  static constexpr auto name = "layerMeanBackward";
  static constexpr auto fields() {
    using Op = LayerMeanBackward;
    return std::tuple{field("layer", &Op::layer),     field("add", &Op::add), field("x", &Op::x),
                      field("weights", &Op::weights), field("dy", &Op::dy),   field("dx", &Op::dx),
                      field("dots", &Op::dots)};
  }
  void check() const {
    expect_same_shape(name, "dy", dy, x);
    expect_same_shape(name, "dx", dx, x);
    expect_shape(name, "dots", dots, x.rows, weights.size());
    expect_one_type(name, {{"x", x}, {"dx", dx}});
    expect_f32(name, {{"weights", weights}, {"dy", dy}, {"dots", dots}});
    expect(layer >= 0 && layer < weights.size(), name, "expected a layer that has a weight");
  }
};

// dweights[l] += (dots[t, l] - sum over k of weights[k] dots[t, k] / W) / W for every row t in
// their order, W the sum of the weights: what normalising them leaves of their gradient.
//
//   dots, weights  as in LayerMeanBackward
//   dweights       (1, L) added to
//   offsets        (N + 1) i32: where texts begin in the rows, or empty: each row is a text; on a
//                  card texts are added in pieces of some rows
struct LayerMeanWeights {
  Tensor dots, weights, dweights, offsets;

  static constexpr auto name = "layerMeanWeights";
  static constexpr auto fields() {
    using Op = LayerMeanWeights;
    return std::tuple{field("dots", &Op::dots), field("weights", &Op::weights),
                      field("dweights", &Op::dweights), field("offsets", &Op::offsets)};
  }
  void check() const {
    expect_size(name, "dweights", dweights, weights.size());
    expect_shape(name, "dots", dots, dots.rows, weights.size());
    expect_type(name, "offsets", offsets, Type::I32);
  }
};

// y = x / |x| by rows; norm = |x|. A row of zeros stays zero (norm at least 1e-12).
//
//   x     (N, C) f32
//   y     (N, C) overwritten; may be x
//   norm  (N, 1) overwritten
struct NormalizeForward {
  Tensor x, y, norm;

  static constexpr auto name = "normalizeForward";
  static constexpr auto fields() {
    using Op = NormalizeForward;
    return std::tuple{field("x", &Op::x), field("y", &Op::y), field("norm", &Op::norm)};
  }
  void check() const {
    expect_same_shape(name, "y", y, x);
    expect_size(name, "norm", norm, x.rows);
  }
};

// dx = (dy - y (dy . y)) / norm. dx may be dy.
struct NormalizeBackward {
  Tensor y, norm, dy, dx;

  static constexpr auto name = "normalizeBackward";
  static constexpr auto fields() {
    using Op = NormalizeBackward;
    return std::tuple{field("y", &Op::y), field("norm", &Op::norm), field("dy", &Op::dy),
                      field("dx", &Op::dx)};
  }
  void check() const {
    expect_same_shape(name, "dy", dy, y);
    expect_same_shape(name, "dx", dx, y);
    expect_size(name, "norm", norm, y.rows);
  }
};

}  // namespace inbatch
