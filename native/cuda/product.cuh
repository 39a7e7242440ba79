// A product of two matrices whose elements begin with a bias or what is there, and end with an
// activation or the slope of one. For products with weights; T is the type of the operands.
#pragma once

#include "functions.cuh"
#include "launch.cuh"

namespace inbatch::cuda {

// Eight neighbours of 16 bits, as memory moves them.
struct alignas(16) Eight {
  bf16 value[8];
};

// c (rows, columns) = a b^T, a (rows, depth), b (columns, depth); or of columns with columns, a^T
// b, with a (depth, rows), b (depth, columns).
template <class T, class Out = T>
struct Product {
  const T *a, *b;
  Out* c;
  int64_t rows, columns, depth;
  const float* bias = nullptr;  // (columns) what a sum begins with
  bool accumulate = false;      // or with what c holds
  Activation activation = Activation::None;
  Out* pre = nullptr;  // as c; gets what goes into the activation
  Activation slope = Activation::None;
  const Out* slope_pre = nullptr;  // as c; a sum is multiplied by the slope there

  DEVICE float begin(int64_t row, int64_t column) const {
    if (row >= rows || column >= columns) return 0.0f;
    if (bias) return bias[column];
    return accumulate ? float(c[row * columns + column]) : 0.0f;
  }
  DEVICE void end(int64_t row, int64_t column, float sum) const {
    const int64_t at = row * columns + column;
    if (pre) pre[at] = Out(sum);
    if (slope_pre) sum *= curve_of(slope, float(slope_pre[at])).slope;
    c[at] = Out(curve_of(activation, sum).value);
  }

  // Eight neighbours of a row, of which those beyond the last column do not count; what they begin
  // with is added here. Their sums lie in shared memory. `whole`: as ends_whole() says.
  DEVICE void end_eight(int64_t row, int64_t column, const float* sum, bool whole) const {
    if (!whole) {
#pragma unroll 1
      for (int i = 0; i < 8 && column + i < columns; ++i) {
        end(row, column + i, sum[i] + begin(row, column + i));
      }
      return;
    }
    const int64_t at = row * columns + column;
    Eight below{}, here{}, before, y;
    if (slope_pre) below = *reinterpret_cast<const Eight*>(slope_pre + at);
    if (accumulate) here = *reinterpret_cast<const Eight*>(c + at);
    float value[8];
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      value[i] = sum[i] + (bias ? bias[column + i] : float(here.value[i]));
      before.value[i] = bf16(value[i]);
    }
    if (pre) *reinterpret_cast<Eight*>(pre + at) = before;
    if (slope_pre) {
      with_curve(slope, [&](const auto& curve) {
#pragma unroll
        for (int i = 0; i < 8; ++i) value[i] *= curve(float(below.value[i])).slope;
      });
    }
    with_curve(activation, [&](const auto& curve) {
#pragma unroll
      for (int i = 0; i < 8; ++i) y.value[i] = bf16(curve(value[i]).value);
    });
    *reinterpret_cast<Eight*>(c + at) = y;
  }

  // Whether what a line of an operand begins with lies at a multiple of 16 bytes (with `size`
  // elements to a line), and every eighth element of a row of results.
  bool starts_whole(int64_t size) const { return size % 8 == 0 && is_whole(a) && is_whole(b); }
  bool ends_whole() const {
    return columns % 8 == 0 && is_whole(c) && is_whole(pre) && is_whole(slope_pre);
  }
  static bool is_whole(const void* data) { return reinterpret_cast<uintptr_t>(data) % 16 == 0; }
};

// Tensor cores, f32 sums. Each element is one chain over the depth, sixteen products at a time, so
// its bits depend on neither the number of rows nor the tiles that are chosen.
//
// c = a b^T, by mma.sync or, on Hopper, where lines begin whole, by wgmma.
void multiply_rows(const Stream& stream, const Product<bf16>& product);
void multiply_rows_wgmma(const Stream& stream, const Product<bf16>& product);
// c += a^T b; totals (rows) += the sums of the columns of a, unless it is null.
void multiply_columns(const Stream& stream, const Product<bf16, float>& product, float* totals);
void multiply_columns_wgmma(const Stream& stream, const Product<bf16, float>& product,
                            float* totals);

}  // namespace inbatch::cuda
