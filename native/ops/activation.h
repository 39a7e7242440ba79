// Elementwise functions of a layer.
//
// T is the type of one op's operands and results: f32, or on a card bf16. Arithmetic is f32.
#pragma once

#include "op.h"
#include "types.h"

namespace inbatch {

// y = f(x). y may be x.
//
//   gelu      x/2 (1 + erf(x / sqrt 2)), erf by Abramowitz and Stegun 7.1.26 (absolute
//   error 1.5e-7) geluTanh  x/2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) silu      x sigmoid(x)
//   sigmoid   1 / (1 + exp(-x))
//
// tanh, silu and sigmoid are within a few units in the last place wherever they are not below the
// smallest normal number.
//
//   x  (M, C) T
//   y  (M, C) overwritten; T, or on a card the other type: then y is not x
struct ActivationForward {
  Activation activation = Activation::Gelu;
  Tensor x, y;

  static constexpr auto name = "activationForward";
  static constexpr auto fields() {
    using Op = ActivationForward;
    return std::tuple{field("activation", &Op::activation), field("x", &Op::x), field("y", &Op::y)};
  }
  void check() const {
    expect_same_shape(name, "y", y, x);
    expect_one_type(name, {{"x", x}});
    expect_one_type(name, {{"y", y}});
  }
};

// dx = dy f'(x). dx may be dy.
//
//   x   (M, C) T, what the function was applied to
//   dy  (M, C) T
//   dx  (M, C) T, overwritten
struct ActivationBackward {
  Activation activation = Activation::Gelu;
  Tensor x, dy, dx;

  static constexpr auto name = "activationBackward";
  static constexpr auto fields() {
    using Op = ActivationBackward;
    return std::tuple{field("activation", &Op::activation), field("x", &Op::x),
                      field("dy", &Op::dy), field("dx", &Op::dx)};
  }
  void check() const {
    expect_same_shape(name, "dy", dy, x);
    expect_same_shape(name, "dx", dx, x);
    expect_one_type(name, {{"x", x}, {"dy", dy}, {"dx", dx}});
  }
};

// y = f(one half of a row of pre) * the other half.
//
//   gate  which half goes through f: First, columns [0, F), or Second, columns [F, 2 F)
//   pre   (M, 2 F) T
//   y     (M, F) T, overwritten
struct GateForward {
  Activation activation = Activation::Silu;
  Gate gate = Gate::First;
  Tensor pre, y;

  static constexpr auto name = "gateForward";
  static constexpr auto fields() {
    using Op = GateForward;
    return std::tuple{field("activation", &Op::activation), field("gate", &Op::gate),
                      field("pre", &Op::pre), field("y", &Op::y)};
  }
  void check() const {
    expect(gate != Gate::None, name, "expected a gate of first or second, got none");
    expect_shape(name, "pre", pre, y.rows, 2 * y.cols);
    expect_one_type(name, {{"pre", pre}, {"y", y}});
  }
};

// The gradient of GateForward by both halves; the product is computed again from pre.
//
//   gate, pre  as there
//   dy         (M, F) T
//   dpre       (M, 2 F) T, overwritten; may be pre
struct GateBackward {
  Activation activation = Activation::Silu;
  Gate gate = Gate::First;
  Tensor pre, dy, dpre;

  static constexpr auto name = "gateBackward";
  static constexpr auto fields() {
    using Op = GateBackward;
    return std::tuple{field("activation", &Op::activation), field("gate", &Op::gate),
                      field("pre", &Op::pre), field("dy", &Op::dy), field("dpre", &Op::dpre)};
  }
  void check() const {
    expect(gate != Gate::None, name, "expected a gate of first or second, got none");
    expect_shape(name, "pre", pre, dy.rows, 2 * dy.cols);
    expect_same_shape(name, "dpre", dpre, pre);
    expect_one_type(name, {{"pre", pre}, {"dy", dy}, {"dpre", dpre}});
  }
};

// y = a + b. y may be a or b.
struct Add {
  Tensor a, b, y;

  static constexpr auto name = "add";
  static constexpr auto fields() {
    using Op = Add;
    return std::tuple{field("a", &Op::a), field("b", &Op::b), field("y", &Op::y)};
  }
  void check() const {
    expect_same_shape(name, "b", b, a);
    expect_same_shape(name, "y", y, a);
    expect_one_type(name, {{"a", a}, {"b", b}, {"y", y}});
  }
};

// x *= keep / (1 - rate), keep a bit of (seed, step, text, site, row, column); the same op is its
// own backward.
//
//   x        (T, C) T, overwritten; or (N, C) when offsets is empty: each row is a text
//   offsets  (N + 1) i32 or empty
//   texts    (N) i32: the number of each text in its batch, so that chunks draw the same bits
struct Dropout {
  float rate = 0;
  int32_t seed = 0, step = 0, site = 0;
  Tensor x, offsets, texts;

  static constexpr auto name = "dropout";
  static constexpr auto fields() {
    using Op = Dropout;
    return std::tuple{field("rate", &Op::rate),  field("seed", &Op::seed),
                      field("step", &Op::step),  field("site", &Op::site),
                      field("x", &Op::x),        field("offsets", &Op::offsets),
                      field("texts", &Op::texts)};
  }
  void check() const {
    expect(rate >= 0 && rate < 1, name, "expected a rate in [0, 1), got " + std::to_string(rate));
    expect_one_type(name, {{"x", x}});
    if (!offsets.empty()) expect_size(name, "texts", texts, offsets.size() - 1);
  }
};

}  // namespace inbatch
