// Normalisation of rows.
#pragma once

#include "op.h"

namespace inbatch {

// sum = x + residual; y = (sum - mean) * rstd * weight + bias   (layer)
//                     y = sum * rstd * weight + bias            (rms; mean is written as zero)
//
//   x         (T, C) f32
//   residual  (T, C) or empty: then sum is x itself
//   weight    (1, C); bias (1, C) or empty
//   sum       (T, C) overwritten when residual is given, otherwise empty; may be x or residual
//   y         (T, C) overwritten
//   mean rstd (T, 1) overwritten
//
// Sums of a row run in 16 lanes. The variance is the mean square minus the squared mean, in one
// fma.
struct NormForward {
  NormKind kind = NormKind::Layer;
  float epsilon = 1e-12f;
  Tensor x, residual, weight, bias, sum, y, mean, rstd;

  static constexpr auto name = "normForward";
  static constexpr auto fields() {
    using Op = NormForward;
    return std::tuple{field("kind", &Op::kind),     field("epsilon", &Op::epsilon),
                      field("x", &Op::x),           field("residual", &Op::residual),
                      field("weight", &Op::weight), field("bias", &Op::bias),
                      field("sum", &Op::sum),       field("y", &Op::y),
                      field("mean", &Op::mean),     field("rstd", &Op::rstd)};
  }
  void check() const {
    expect_same_shape(name, "y", y, x);
    expect_size(name, "weight", weight, x.cols);
    if (!bias.empty()) expect_size(name, "bias", bias, x.cols);
    expect_size(name, "mean", mean, x.rows);
    expect_size(name, "rstd", rstd, x.rows);
    if (residual.empty()) return;
    expect_same_shape(name, "residual", residual, x);
    expect_same_shape(name, "sum", sum, x);
  }
};

// The gradient of NormForward with respect to its sum, weight and bias.
//
//   sum, weight, mean, rstd   as there
//   dy       (T, C) f32
//   dx       (T, C) overwritten; may be dy. Both x and residual receive it
//   dweight  (1, C) added to, or empty; dbias (1, C) added to, or empty
//
// Parameter gradients are chains over rows in order that start from their present values.
struct NormBackward {
  NormKind kind = NormKind::Layer;
  Tensor sum, weight, mean, rstd, dy, dx, dweight, dbias;

  static constexpr auto name = "normBackward";
  static constexpr auto fields() {
    using Op = NormBackward;
    return std::tuple{
        field("kind", &Op::kind), field("sum", &Op::sum),         field("weight", &Op::weight),
        field("mean", &Op::mean), field("rstd", &Op::rstd),       field("dy", &Op::dy),
        field("dx", &Op::dx),     field("dweight", &Op::dweight), field("dbias", &Op::dbias)};
  }
  void check() const {
    expect_same_shape(name, "dy", dy, sum);
    expect_same_shape(name, "dx", dx, sum);
    expect_size(name, "weight", weight, sum.cols);
    expect_size(name, "mean", mean, sum.rows);
    expect_size(name, "rstd", rstd, sum.rows);
    if (!dweight.empty()) expect_size(name, "dweight", dweight, sum.cols);
    if (!dbias.empty()) expect_size(name, "dbias", dbias, sum.cols);
  }
};

}  // namespace inbatch
