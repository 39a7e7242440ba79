// Updates of parameters over flat memory.
#pragma once

#include "op.h"

namespace inbatch {

// AdamW (Loshchilov and Hutter 2019), one step over a range of flat memory:
//
//   g = gradientScale gradient;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
//   w = w (1 - rate decay) - rate (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon)
//
// Or Adam (Kingma and Ba 2015): decay w is added to g, and w itself does not decay.
//
//   weight gradient first second   (1, P) f32; all but gradient are overwritten
//
// step counts from 1.
struct AdamW {
  bool coupled = false;  // Adam
  double rate = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0, gradient_scale = 1;
  int32_t step = 1;
  Tensor weight, gradient, first, second;

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
                      field("second", &Op::second)};
  }
  void check() const {
    expect(step >= 1, name, "expected a step from 1, got " + std::to_string(step));
    expect_size(name, "gradient", gradient, weight.size());
    expect_size(name, "first", first, weight.size());
    expect_size(name, "second", second, weight.size());
  }
};

// Lion (Chen and others 2023), one step over a range of flat memory:
//
//   g = gradientScale gradient;  w = w (1 - rate decay) - rate sign(beta1 m + (1 - beta1) g)
//   m = beta2 m + (1 - beta2) g
//
//   weight gradient first   (1, P) f32; all but gradient are overwritten
//
// The sign of 0 is 0.
struct Lion {
  double rate = 0, beta1 = 0.9, beta2 = 0.99, decay = 0, gradient_scale = 1;
  Tensor weight, gradient, first;

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
                      field("first", &Op::first)};
  }
  void check() const {
    expect_size(name, "gradient", gradient, weight.size());
    expect_size(name, "first", first, weight.size());
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
