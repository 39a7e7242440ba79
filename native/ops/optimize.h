// Updates of parameters over flat memory.
#pragma once

#include "op.h"

namespace inbatch {

// AdamW (Loshchilov and Hutter 2019), one step over a range of flat memory:
//
//   g = gradientScale gradient;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
//   w = w (1 - rate decay) - rate (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon)
//
//   weight gradient first second   (1, P) f32; all but gradient are overwritten
//
// step counts from 1.
struct AdamW {
  double rate = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0, gradient_scale = 1;
  int32_t step = 1;
  Tensor weight, gradient, first, second;

  static constexpr auto name = "adamW";
  static constexpr auto fields() {
    using Op = AdamW;
    return std::tuple{field("rate", &Op::rate),         field("beta1", &Op::beta1),
                      field("beta2", &Op::beta2),       field("epsilon", &Op::epsilon),
                      field("decay", &Op::decay),       field("gradientScale", &Op::gradient_scale),
                      field("step", &Op::step),         field("weight", &Op::weight),
                      field("gradient", &Op::gradient), field("first", &Op::first),
                      field("second", &Op::second)};
  }
  void check() const {
    expect(step >= 1, name, "expected a step from 1, got " + std::to_string(step));
    expect_size(name, "gradient", gradient, weight.size());
    expect_size(name, "first", first, weight.size());
    expect_size(name, "second", second, weight.size());
  }
};

// result = sum of x^2: chains of 16 lanes over 4096 elements, added in f64 in order.
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
