// Matrix products with weights.
//
// A weight is packed once and multiplied many times. Packed is (ceil(N / 16), K * 16): panel p
// holds the rows 16 p .. 16 p + 15 of the weight, rows beyond N as zeros. Within it the layout is
// that of the back end: the CPU has a panel as f32 [k][16]; a card as [16][k], so that all of it is
// a row-major matrix (N rounded up to 16, K), in f32 or bf16.
//
// T is the type of one op's operands and results: f32, or on a card bf16. Sums are f32 and rounded
// at the end.
#pragma once

#include "op.h"
#include "types.h"

namespace inbatch {

constexpr int64_t kPanel = 16;
constexpr int64_t panels_of(int64_t n) { return (n + kPanel - 1) / kPanel; }

// packed = panels of weight, or of its transpose.
//
//   weight   (N, K) f32, read
//   packed   T (panels(N), 16 K), or (panels(K), 16 N) when transposed; overwritten. Rounded to its
//            type
struct LinearPack {
  bool transposed = false;
  Tensor weight, packed;

  static constexpr auto name = "linearPack";
  static constexpr auto fields() {
    using Op = LinearPack;
    return std::tuple{field("transposed", &Op::transposed), field("weight", &Op::weight),
                      field("packed", &Op::packed)};
  }
  void check() const {
    const int64_t n = transposed ? weight.cols : weight.rows;
    const int64_t k = transposed ? weight.rows : weight.cols;
    expect_shape(name, "packed", packed, panels_of(n), k * kPanel);
    expect_type(name, "weight", weight, Type::F32);
    expect_one_type(name, {{"packed", packed}});
  }
};

// weight = rows [row, row + R) of the weight that was packed; the same bits, or what bf16 kept.
//
//   packed   T (panels(N), 16 K), N >= row + R, not of the transpose
//   weight   (R, K) f32, overwritten
struct LinearUnpack {
  int64_t row = 0;
  Tensor packed, weight;

  static constexpr auto name = "linearUnpack";
  static constexpr auto fields() {
    using Op = LinearUnpack;
    return std::tuple{field("row", &Op::row), field("packed", &Op::packed),
                      field("weight", &Op::weight)};
  }
  void check() const {
    expect_columns(name, "packed", packed, weight.cols * kPanel);
    expect(row >= 0 && row <= packed.rows * kPanel - weight.rows, name,
           "expected rows within " + std::to_string(packed.rows * kPanel));
    expect_type(name, "weight", weight, Type::F32);
    expect_one_type(name, {{"packed", packed}});
  }
};

// y = activation(x W^T + bias), W given as panels.
//
//   x        (M, K) T
//   packed   T (panels(N), 16 K), N = y.cols
//   bias     (1, N) f32 or empty
//   y        (M, N) T, overwritten
//   pre      (M, N) T, overwritten with x W^T + bias, or empty
//
// Each element is one chain of multiply-adds over k in order that begins with its bias; in bf16
// sixteen of them at a time, and the bias is added to their sum. So its bits do not depend on M.
struct LinearForward {
  Activation activation = Activation::None;
  Tensor x, packed, bias, y, pre;

  static constexpr auto name = "linearForward";
  static constexpr auto fields() {
    using Op = LinearForward;
    return std::tuple{field("activation", &Op::activation),
                      field("x", &Op::x),
                      field("packed", &Op::packed),
                      field("bias", &Op::bias),
                      field("y", &Op::y),
                      field("pre", &Op::pre)};
  }
  void check() const {
    expect_rows(name, "y", y, x.rows);
    expect_shape(name, "packed", packed, panels_of(y.cols), x.cols * kPanel);
    if (!bias.empty()) expect_size(name, "bias", bias, y.cols);
    if (!pre.empty()) expect_same_shape(name, "pre", pre, y);
    expect_one_type(name, {{"x", x}, {"packed", packed}, {"y", y}, {"pre", pre}});
    expect_type(name, "bias", bias, Type::F32);
  }
};

// dx = (dy W) * activation'(pre), W given as panels of its transpose.
//
//   dy       (M, N) T
//   packed   T (panels(K), 16 N), K = dx.cols: LinearPack of W, transposed
//   pre      (M, K) T, what the activation of the layer below was applied to; empty when None
//   dx       (M, K) T, overwritten, or added to when accumulate (then activation is None)
struct LinearBackwardInput {
  Activation activation = Activation::None;
  bool accumulate = false;
  Tensor dy, packed, pre, dx;

  static constexpr auto name = "linearBackwardInput";
  static constexpr auto fields() {
    using Op = LinearBackwardInput;
    return std::tuple{field("activation", &Op::activation),
                      field("accumulate", &Op::accumulate),
                      field("dy", &Op::dy),
                      field("packed", &Op::packed),
                      field("pre", &Op::pre),
                      field("dx", &Op::dx)};
  }
  void check() const {
    expect_rows(name, "dx", dx, dy.rows);
    expect_shape(name, "packed", packed, panels_of(dx.cols), dy.cols * kPanel);
    if (activation != Activation::None) expect_same_shape(name, "pre", pre, dx);
    expect(!accumulate || activation == Activation::None, name,
           "expected no activation when accumulating");
    expect_one_type(name, {{"dy", dy}, {"packed", packed}, {"pre", pre}, {"dx", dx}});
  }
};

// dweight += dy^T x; dbias += column sums of dy.
//
//   x        (M, K) T
//   dy       (M, N) T
//   dweight  (N, K) f32, added to, or empty
//   dbias    (1, N) f32, added to, or empty
//
// Each element is one chain over the rows in order that starts from its present value: rows given
// in several calls leave the same bits as rows given in one. In bf16 sixteen rows are taken at a
// time, so that this holds for all calls but the last of a multiple of sixteen rows.
struct LinearBackwardWeight {
  Tensor x, dy, dweight, dbias;

  static constexpr auto name = "linearBackwardWeight";
  static constexpr auto fields() {
    using Op = LinearBackwardWeight;
    return std::tuple{field("x", &Op::x), field("dy", &Op::dy), field("dweight", &Op::dweight),
                      field("dbias", &Op::dbias)};
  }
  void check() const {
    expect_rows(name, "dy", dy, x.rows);
    if (!dweight.empty()) expect_shape(name, "dweight", dweight, dy.cols, x.cols);
    if (!dbias.empty()) expect_size(name, "dbias", dbias, dy.cols);
    expect_one_type(name, {{"x", x}, {"dy", dy}});
    expect_type(name, "dweight", dweight, Type::F32);
    expect_type(name, "dbias", dbias, Type::F32);
  }
};

}  // namespace inbatch
