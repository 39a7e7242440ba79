// What is done to weights beside updating them: means over steps, and moves that are undone.
#pragma once

#include "op.h"

namespace inbatch {

// y = y + share (x - y); with a share of 1, y = x to the bit.
//
//   x y  (1, P) f32; y is overwritten
struct Blend {
  double share = 1;
  Tensor x, y;

  static constexpr auto name = "blend";
  static constexpr auto fields() {
    using Op = Blend;
    return std::tuple{field("share", &Op::share), field("x", &Op::x), field("y", &Op::y)};
  }
  void check() const { expect_size(name, "y", y, x.size()); }
};

// Swaps the elements of x and y.
//
//   x y  (1, P) f32, overwritten
struct Exchange {
  Tensor x, y;

  static constexpr auto name = "exchange";
  static constexpr auto fields() {
    using Op = Exchange;
    return std::tuple{field("x", &Op::x), field("y", &Op::y)};
  }
  void check() const { expect_size(name, "y", y, x.size()); }
};

// w = w + scale gradient, and with a bound above 0 no further than bound |origin| from the origin.
//
//   weight gradient origin  (1, P) f32; weight is overwritten; origin may be empty without a bound
struct Perturb {
  double scale = 0, bound = 0;
  Tensor weight, gradient, origin;

  static constexpr auto name = "perturb";
  static constexpr auto fields() {
    using Op = Perturb;
    return std::tuple{field("scale", &Op::scale), field("bound", &Op::bound),
                      field("weight", &Op::weight), field("gradient", &Op::gradient),
                      field("origin", &Op::origin)};
  }
  void check() const {
    expect_size(name, "gradient", gradient, weight.size());
    if (bound > 0) expect_size(name, "origin", origin, weight.size());
  }
};

// result = sum of (a - b)^2, as SumSquares adds.
//
//   a b     (1, P) f32
//   result  (1, 1) f64, added to
struct SquaredDistance {
  Tensor a, b, result;

  static constexpr auto name = "squaredDistance";
  static constexpr auto fields() {
    using Op = SquaredDistance;
    return std::tuple{field("a", &Op::a), field("b", &Op::b), field("result", &Op::result)};
  }
  void check() const {
    expect_size(name, "b", b, a.size());
    expect_type(name, "result", result, Type::F64);
  }
};

}  // namespace inbatch
