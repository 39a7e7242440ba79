// AdamW whose moments are held in 8 bits.
#pragma once

#include "op.h"

namespace inbatch {

// AdamW over moments of one byte an element and one f32 a block (Dettmers and others 2022, "8-bit
// Optimizers via Block-wise Quantization"). Blocks are of 256 elements in their order, the last one
// may be shorter. A step reads m = first_scale[block] signed_map[first] and v likewise, makes of
// them and of the weight what AdamW does (optimize.h), and writes the new m and v back: the scale
// of a block is its largest magnitude, a code that of the nearest value of m / scale, the one
// nearer to zero of two. So the weight moves by moments that are not rounded yet.
//
// The maps are dynamic: in decade i from 0 to 6, 10^(i-6) times the middles of 2^i equal parts of
// [0.1, 1] and their negatives (signed), or of 2^(i+1) parts (unsigned), with 0 and 1 beside them:
// 256 values, numbered as they rise. Code 0 of the unsigned map is 0; so is code 127 of the signed
// one. A block whose scale is 0 is all zeros, whatever its codes.
//
//   weight gradient           (1, P) f32; weight is overwritten
//   first second              (1, P) u8, overwritten
//   first_scale second_scale  (1, ceil(P / 256)) f32, overwritten
//
// step counts from 1. Magnitudes beyond f32 are held as its largest.
struct AdamW8 {
  double rate = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0, gradient_scale = 1;
  int32_t step = 1;
  Tensor weight, gradient, first, second, first_scale, second_scale;

  static constexpr int64_t block = 256;
  static constexpr auto name = "adamW8";
  static constexpr auto fields() {
    using Op = AdamW8;
    return std::tuple{field("rate", &Op::rate),
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
                      field("firstScale", &Op::first_scale),
                      field("secondScale", &Op::second_scale)};
  }
  void check() const {
    expect(step >= 1, name, "expected a step from 1, got " + std::to_string(step));
    expect_size(name, "gradient", gradient, weight.size());
    expect_type(name, "first", first, Type::U8);
    expect_type(name, "second", second, Type::U8);
    expect_size(name, "first", first, weight.size());
    expect_size(name, "second", second, weight.size());
    const int64_t blocks = (weight.size() + block - 1) / block;
    expect_size(name, "firstScale", first_scale, blocks);
    expect_size(name, "secondScale", second_scale, blocks);
  }
};

}  // namespace inbatch
