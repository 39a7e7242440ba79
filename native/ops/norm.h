// Normalisation of rows.
#pragma once

#include "op.h"
#include "types.h"

namespace inbatch {

// That `heads` heads of `width` columns lie in each row from column `first` on.
inline void expect_heads(const char* op, const char* field, const Tensor& tensor, int64_t heads,
                         int64_t first, int64_t width) {
  const int64_t end = first + heads * width;
  if (heads > 0 && first >= 0 && width > 0 && end <= tensor.cols) return;
  refuse(op, std::string("expected ") + field + " to hold " + std::to_string(heads) + " heads of " +
                 std::to_string(width) + " columns from column " + std::to_string(first) +
                 " on, got " + std::to_string(tensor.cols) + " columns");
}

// sum = x + residual; y = (sum - mean) * rstd * (weight + offset) + bias   (layer)
//                     y = sum * rstd * (weight + offset) + bias            (rms; mean is zero)
//
//   x         (T, C) f32, on a card also bf16
//   residual  (T, C) type of x, or empty: then sum is x itself
//   weight    (1, C) f32; bias (1, C) f32 or empty
//   sum       (T, C) type of x, overwritten when residual is given, otherwise empty; may be x or
//             residual
//   y         (T, C) type of x, overwritten
//   mean rstd (T, 1) f32, overwritten
//
// Sums of a row run in 16 lanes, on a card in 32, in f32. The variance is the mean square minus the
// squared mean, in one fma. In bf16 the sum is rounded before it is normalised, as backward reads
// it.
struct NormForward {
  NormKind kind = NormKind::Layer;
  float epsilon = 1e-12f, offset = 0;
  Tensor x, residual, weight, bias, sum, y, mean, rstd;

  static constexpr auto name = "normForward";
  static constexpr auto fields() {
    using Op = NormForward;
    return std::tuple{
        field("kind", &Op::kind), field("epsilon", &Op::epsilon),   field("offset", &Op::offset),
        field("x", &Op::x),       field("residual", &Op::residual), field("weight", &Op::weight),
        field("bias", &Op::bias), field("sum", &Op::sum),           field("y", &Op::y),
        field("mean", &Op::mean), field("rstd", &Op::rstd)};
  }
  void check() const {
    expect_same_shape(name, "y", y, x);
    expect_size(name, "weight", weight, x.cols);
    if (!bias.empty()) expect_size(name, "bias", bias, x.cols);
    expect_size(name, "mean", mean, x.rows);
    expect_size(name, "rstd", rstd, x.rows);
    expect_one_type(name, {{"x", x}, {"residual", residual}, {"sum", sum}, {"y", y}});
    expect_f32(name, {{"weight", weight}, {"bias", bias}, {"mean", mean}, {"rstd", rstd}});
    if (residual.empty()) return;
    expect_same_shape(name, "residual", residual, x);
    expect_same_shape(name, "sum", sum, x);
  }
};

// The gradient of NormForward with respect to its sum, weight and bias.
//
//   offset, sum, weight, mean, rstd   as there
//   dy       (T, C) type of sum
//   dx       (T, C) type of sum, overwritten; may be dy. Both x and residual receive it
//   dweight  (1, C) f32, added to, or empty; dbias (1, C) f32, added to, or empty
//   offsets  (N + 1) i32, rising, from 0 to T: where texts begin; or empty: each row is a text
//
// Parameter gradients are chains over rows in order that start from their present values; on a card
// chains over the texts, a text in pieces of some rows. So texts given in several calls leave the
// same bits as texts given in one.
struct NormBackward {
  NormKind kind = NormKind::Layer;
  float offset = 0;
  Tensor sum, weight, mean, rstd, dy, dx, dweight, dbias, offsets;

  static constexpr auto name = "normBackward";
  static constexpr auto fields() {
    using Op = NormBackward;
    return std::tuple{
        field("kind", &Op::kind),     field("offset", &Op::offset),  field("sum", &Op::sum),
        field("weight", &Op::weight), field("mean", &Op::mean),      field("rstd", &Op::rstd),
        field("dy", &Op::dy),         field("dx", &Op::dx),          field("dweight", &Op::dweight),
        field("dbias", &Op::dbias),   field("offsets", &Op::offsets)};
  }
  void check() const {
    expect_same_shape(name, "dy", dy, sum);
    expect_same_shape(name, "dx", dx, sum);
    expect_size(name, "weight", weight, sum.cols);
    expect_size(name, "mean", mean, sum.rows);
    expect_size(name, "rstd", rstd, sum.rows);
    expect_one_type(name, {{"sum", sum}, {"dy", dy}, {"dx", dx}});
    expect_f32(name, {{"weight", weight},
                      {"mean", mean},
                      {"rstd", rstd},
                      {"dweight", dweight},
                      {"dbias", dbias}});
    expect_type(name, "offsets", offsets, Type::I32);
    if (!dweight.empty()) expect_size(name, "dweight", dweight, sum.cols);
    if (!dbias.empty()) expect_size(name, "dbias", dbias, sum.cols);
  }
};

// NormForward of each head of a row by itself, all with one weight. Heads lie side by side from
// column `first` on, D = weight.cols columns each; other columns of y are left alone.
//
//   heads     how many heads of a row
//   x         (T, C) f32, on a card also bf16, C at least first + heads D
//   weight    (1, D) f32; bias (1, D) f32 or empty
//   y         (T, C) type of x, columns [first, first + heads D) overwritten; may be x when there
//   is no
//             backward
//   mean rstd (T, heads) f32, overwritten
struct HeadNormForward {
  NormKind kind = NormKind::Layer;
  float epsilon = 1e-12f, offset = 0;
  int32_t heads = 1, first = 0;
  Tensor x, weight, bias, y, mean, rstd;

  static constexpr auto name = "headNormForward";
  static constexpr auto fields() {
    using Op = HeadNormForward;
    return std::tuple{
        field("kind", &Op::kind),     field("epsilon", &Op::epsilon), field("offset", &Op::offset),
        field("heads", &Op::heads),   field("first", &Op::first),     field("x", &Op::x),
        field("weight", &Op::weight), field("bias", &Op::bias),       field("y", &Op::y),
        field("mean", &Op::mean),     field("rstd", &Op::rstd)};
  }
  void check() const {
    expect_heads(name, "x", x, heads, first, weight.cols);
    expect_size(name, "weight", weight, weight.cols);
    if (!bias.empty()) expect_size(name, "bias", bias, weight.cols);
    expect_same_shape(name, "y", y, x);
    expect_shape(name, "mean", mean, x.rows, heads);
    expect_shape(name, "rstd", rstd, x.rows, heads);
    expect_one_type(name, {{"x", x}, {"y", y}});
    expect_f32(name, {{"weight", weight}, {"bias", bias}, {"mean", mean}, {"rstd", rstd}});
  }
};

// The gradient of HeadNormForward with respect to x, weight and bias.
//
//   offset, heads, first, x, weight, mean, rstd   as there
//   dy       (T, C) type of x, of which columns [first, first + heads D) are read
//   dx       (T, C) type of x, the same columns overwritten; may be dy
//   dweight  (1, D) f32, added to, or empty; dbias (1, D) f32, added to, or empty
//   offsets  as in NormBackward
//
// Parameter gradients are chains over rows and, within a row, over heads, in order; they start from
// their present values. On a card as in NormBackward.
struct HeadNormBackward {
  NormKind kind = NormKind::Layer;
  float offset = 0;
  int32_t heads = 1, first = 0;
  Tensor x, weight, mean, rstd, dy, dx, dweight, dbias, offsets;

  static constexpr auto name = "headNormBackward";
  static constexpr auto fields() {
    using Op = HeadNormBackward;
    return std::tuple{field("kind", &Op::kind),
                      field("offset", &Op::offset),
                      field("heads", &Op::heads),
                      field("first", &Op::first),
                      field("x", &Op::x),
                      field("weight", &Op::weight),
                      field("mean", &Op::mean),
                      field("rstd", &Op::rstd),
                      field("dy", &Op::dy),
                      field("dx", &Op::dx),
                      field("dweight", &Op::dweight),
                      field("dbias", &Op::dbias),
                      field("offsets", &Op::offsets)};
  }
  void check() const {
    expect_type(name, "offsets", offsets, Type::I32);
    expect_heads(name, "x", x, heads, first, weight.cols);
    expect_size(name, "weight", weight, weight.cols);
    expect_shape(name, "mean", mean, x.rows, heads);
    expect_shape(name, "rstd", rstd, x.rows, heads);
    expect_same_shape(name, "dy", dy, x);
    expect_same_shape(name, "dx", dx, x);
    expect_one_type(name, {{"x", x}, {"dy", dy}, {"dx", dx}});
    expect_f32(name, {{"weight", weight},
                      {"mean", mean},
                      {"rstd", rstd},
                      {"dweight", dweight},
                      {"dbias", dbias}});
    if (!dweight.empty()) expect_size(name, "dweight", dweight, weight.cols);
    if (!dbias.empty()) expect_size(name, "dbias", dbias, weight.cols);
  }
};

}  // namespace inbatch
