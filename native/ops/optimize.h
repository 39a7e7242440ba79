// Updates of parameters over flat memory.
#pragma once

#include "op.h"
#include "types.h"

namespace inbatch {

// That what an optimizer leaves in 16 bits is as long as the weight, and on a card.
inline void expect_rounded(const char* op, const Tensor& rounded, const Tensor& weight) {
  if (rounded.empty()) return;
  expect_size(op, "rounded", rounded, weight.size());
  expect_type(op, "rounded", rounded, Type::BF16);
  expect(rounded.place == Place::Cuda, op, "expected rounded on a card alone");
}

// AdamW (Loshchilov and Hutter 2019), one step over a range of flat memory:
//
//   g = gradientScale gradient;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
//   w = w (1 - rate decay) - rate (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon)
//
// Or Adam (Kingma and Ba 2015): decay w is added to g, and w itself does not decay.
//
//   weight gradient first second   (1, P) f32; all but gradient are overwritten
//   rounded                        (1, P) bf16, only on a card: overwritten with w; or empty
//
// step counts from 1.
struct AdamW {
  bool coupled = false;  // Adam
  double rate = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0, gradient_scale = 1;
  int32_t step = 1;
  Tensor weight, gradient, first, second, rounded;

  static constexpr auto name = "adamW";
  static constexpr auto fields() {
    using Op = AdamW;
    return std::tuple{field("coupled", &Op::coupled),
                      field("rate", &Op::rate),
                      field("beta1", &Op::beta1),
                      field("beta2", &Op::beta2),
                      field("epsilon", &Op::epsilon),
                      field("decay", &Op::decay),
                      field("gradientScale", &Op::gradient_scale),
                      field("step", &Op::step),
                      field("weight", &Op::weight),
                      field("gradient", &Op::gradient),
                      field("first", &Op::first),
                      field("second", &Op::second),
                      field("rounded", &Op::rounded)};
  }
  void check() const {
    expect(step >= 1, name, "expected a step from 1, got " + std::to_string(step));
    expect_size(name, "gradient", gradient, weight.size());
    expect_size(name, "first", first, weight.size());
    expect_size(name, "second", second, weight.size());
    expect_rounded(name, rounded, weight);
  }
};

// Lion (Chen and others 2023), one step over a range of flat memory:
//
//   g = gradientScale gradient;  w = w (1 - rate decay) - rate sign(beta1 m + (1 - beta1) g)
//   m = beta2 m + (1 - beta2) g
//
//   weight gradient first   (1, P) f32; all but gradient are overwritten
//   rounded                 (1, P) bf16, only on a card: overwritten with w; or empty
//
// The sign of 0 is 0.
struct Lion {
  double rate = 0, beta1 = 0.9, beta2 = 0.99, decay = 0, gradient_scale = 1;
  Tensor weight, gradient, first, rounded;

  static constexpr auto name = "lion";
  static constexpr auto fields() {
    using Op = Lion;
    return std::tuple{field("rate", &Op::rate),
                      field("beta1", &Op::beta1),
                      field("beta2", &Op::beta2),
                      field("decay", &Op::decay),
                      field("gradientScale", &Op::gradient_scale),
                      field("weight", &Op::weight),
                      field("gradient", &Op::gradient),
                      field("first", &Op::first),
                      field("rounded", &Op::rounded)};
  }
  void check() const {
    expect_size(name, "gradient", gradient, weight.size());
    expect_size(name, "first", first, weight.size());
    expect_rounded(name, rounded, weight);
  }
};

// Adafactor (Shazeer and Stern 2018), one step of a matrix whose second moments are held as means
// of rows and of columns, with a rate from outside (transformers' scale_parameter and relative_step
// false, clip_threshold 1, decay_rate -0.8, no first moment):
//
//   g = gradientScale gradient;  beta = 1 - step^-0.8
//   r = beta r + (1 - beta) mean over a row of (g^2 + 1e-30), c likewise over a column
//   u = g / sqrt(r / mean(r)) / sqrt(c);  u = u / max(1, root mean square of u)
//   w = w (1 - rate decay) - rate u
//
//   weight gradient  (R, C) f32; weight is overwritten
//   row_squares      (1, R) f32, overwritten; empty: R is 1 and nothing is factored, c is all of it
//   column_squares   (1, C) f32, overwritten
//
// step counts from 1. Sums are f64, in the order of the rows and columns.
struct Adafactor {
  double rate = 0, decay = 0, gradient_scale = 1;
  int32_t step = 1;
  Tensor weight, gradient, row_squares, column_squares;

  static constexpr auto name = "adafactor";
  static constexpr auto fields() {
    using Op = Adafactor;
    return std::tuple{field("rate", &Op::rate),
                      field("decay", &Op::decay),
                      field("gradientScale", &Op::gradient_scale),
                      field("step", &Op::step),
                      field("weight", &Op::weight),
                      field("gradient", &Op::gradient),
                      field("rowSquares", &Op::row_squares),
                      field("columnSquares", &Op::column_squares)};
  }
  void check() const {
    expect(step >= 1, name, "expected a step from 1, got " + std::to_string(step));
    expect_same_shape(name, "gradient", gradient, weight);
    expect_size(name, "columnSquares", column_squares, weight.cols);
    if (row_squares.empty()) return expect_rows(name, "weight", weight, 1);
    expect_size(name, "rowSquares", row_squares, weight.rows);
  }
};

// x = min(max(x, -bound), bound)
//
//   x  (1, P) f32, overwritten
//
// Not a number stays so.
struct Clip {
  double bound = 0;
  Tensor x;

  static constexpr auto name = "clip";
  static constexpr auto fields() {
    using Op = Clip;
    return std::tuple{field("bound", &Op::bound), field("x", &Op::x)};
  }
  void check() const { expect(bound > 0, name, "expected a bound above 0"); }
};

// result = sum of x^2: short chains, added in f64 in an order that follows from the size alone.
//
//   x       (1, P) f32
//   result  (1, 1) f64, added to
struct SumSquares {
  Tensor x, result;

  static constexpr auto name = "sumSquares";
  static constexpr auto fields() {
    using Op = SumSquares;
    return std::tuple{field("x", &Op::x), field("result", &Op::result)};
  }
  void check() const { expect_type(name, "result", result, Type::F64); }
};

}  // namespace inbatch
