// Matrix products with weights of 7 bits and rows of 8, for encoding.
//
// A weight row n is q[n, k] scale[n], q whole in [-63, 63], scale its largest value / 63. A row of
// x becomes u[k] factor, u whole in [-127, 127], factor its own largest value / 127; both round
// half to even what is multiplied by the inverse in f32. So a text's bits depend on no other row
// (what a scale per matrix, as dynamic quantisation elsewhere has it, would not give). u + 128 is
// an unsigned byte: 2 * 255 * 63 fits into 16 bits, which AVX2 adds pairs of products in, so its
// sums are exact, and every instruction set has the same ones.
//
// Packed is (panels(N), 16 * words(K)) i32: panel p holds its 16 rows, on the CPU as [word][16], on
// a card as [16][word]; a word has the values of four neighbours in K, the first in its lowest
// byte; what lies beyond is zero.
#pragma once

#include "linear.h"

namespace inbatch {

constexpr int64_t words_of(int64_t k) { return (k + 3) / 4; }

// packed, scale, sums = the weight in 7 bits.
//
//   weight   (N, K) f32, read
//   packed   (panels(N), 16 words(K)) i32, overwritten
//   scale    (1, 16 panels(N)) f32, overwritten
//   sums     (1, 16 panels(N)) i32, overwritten: 128 times the sum of a row, which the unsigned
//            bytes of x bring in too much
struct QuantizedPack {
  Tensor weight, packed, scale, sums;

  static constexpr auto name = "quantizedPack";
  static constexpr auto fields() {
    using Op = QuantizedPack;
    return std::tuple{field("weight", &Op::weight), field("packed", &Op::packed),
                      field("scale", &Op::scale), field("sums", &Op::sums)};
  }
  void check() const {
    const int64_t panels = panels_of(weight.rows);
    expect_type(name, "packed", packed, Type::I32);
    expect_shape(name, "packed", packed, panels, kPanel * words_of(weight.cols));
    expect_shape(name, "scale", scale, 1, kPanel * panels);
    expect_type(name, "sums", sums, Type::I32);
    expect_shape(name, "sums", sums, 1, kPanel * panels);
    expect(weight.cols <= 65536, name, "expected at most 65536 columns, whose sums fit 32 bits");
  }
};

// y = activation(x W^T + bias), W in 7 bits, the rows of x made 8 bits here.
//
//   x                     (M, K) f32
//   packed, scale, sums   as QuantizedPack makes them, N = y.cols
//   bias                  (1, N) or empty
//   y                     (M, N) overwritten
struct QuantizedForward {
  Activation activation = Activation::None;
  Tensor x, packed, scale, sums, bias, y;

  static constexpr auto name = "quantizedForward";
  static constexpr auto fields() {
    using Op = QuantizedForward;
    return std::tuple{field("activation", &Op::activation),
                      field("x", &Op::x),
                      field("packed", &Op::packed),
                      field("scale", &Op::scale),
                      field("sums", &Op::sums),
                      field("bias", &Op::bias),
                      field("y", &Op::y)};
  }
  void check() const {
    const int64_t panels = panels_of(y.cols);
    expect_rows(name, "y", y, x.rows);
    expect_type(name, "packed", packed, Type::I32);
    expect_shape(name, "packed", packed, panels, kPanel * words_of(x.cols));
    expect_shape(name, "scale", scale, 1, kPanel * panels);
    expect_type(name, "sums", sums, Type::I32);
    expect_shape(name, "sums", sums, 1, kPanel * panels);
    if (!bias.empty()) expect_size(name, "bias", bias, y.cols);
  }
};

}  // namespace inbatch
