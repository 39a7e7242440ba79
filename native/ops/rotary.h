// Rotary positions (Su et al. 2021).
#pragma once

#include "op.h"
#include "types.h"

namespace inbatch {

// Turns pairs of columns of each head by an angle that belongs to the row's place p in its text:
//
//   (a, b) = (x[j], x[j + pairs])   of a head, for each pair j
//   x[j]         = magnitude (a cos[p, j] - b sin[p, j])
//   x[j + pairs] = magnitude (b cos[p, j] + a sin[p, j])
//
//   heads      how many heads of a row are turned; they lie side by side from column 0 on
//   width      columns of a head, at least 2 pairs; those from 2 pairs on stay
//   inverse    turns by the opposite angles: what takes the gradient of the result to that of x
//   offsets    (N + 1) i32, rising, from 0 to T
//   cos, sin   (P, pairs) f32
//   x          (T, C) f32, on a card also bf16, in place, C at least heads * width; further columns
//   stay
//
// No text may be longer than P; the caller sees to that, for offsets are not read in advance. Each
// element is one product and one multiply-add with magnitude * cos and magnitude * sin.
struct Rotary {
  int32_t heads = 1, width = 2;
  bool inverse = false;
  float magnitude = 1;
  Tensor offsets, cos, sin, x;

  static constexpr auto name = "rotary";
  static constexpr auto fields() {
    using Op = Rotary;
    return std::tuple{field("heads", &Op::heads),     field("width", &Op::width),
                      field("inverse", &Op::inverse), field("magnitude", &Op::magnitude),
                      field("offsets", &Op::offsets), field("cos", &Op::cos),
                      field("sin", &Op::sin),         field("x", &Op::x)};
  }
  void check() const {
    expect(heads > 0 && int64_t(heads) * width <= x.cols, name,
           "expected x to hold " + std::to_string(heads) + " heads of " + std::to_string(width) +
               " columns, got " + std::to_string(x.cols) + " columns");
    expect(2 * cos.cols <= width, name,
           "expected cos of at most " + std::to_string(width / 2) + " pairs, got " +
               std::to_string(cos.cols));
    expect_same_shape(name, "sin", sin, cos);
    expect_one_type(name, {{"x", x}});
    expect_f32(name, {{"cos", cos}, {"sin", sin}});
    expect_type(name, "offsets", offsets, Type::I32);
    expect(offsets.size() > 0, name, "expected offsets of at least 1 element, got 0");
  }
};

}  // namespace inbatch
