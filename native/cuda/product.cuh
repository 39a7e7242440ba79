// A product of two matrices whose elements begin with a bias or what is there, and end with an
// activation or the slope of one. For products with weights; T is the type of the operands.
#pragma once

#include "functions.cuh"
#include "launch.cuh"

namespace inbatch::cuda {

// c (rows, columns) = a b^T, a (rows, depth), b (columns, depth); or, across, a^T b with a (depth,
// rows), b (depth, columns).
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
    if (bias) return bias[column];
    return accumulate ? float(c[row * columns + column]) : 0.0f;
  }
  DEVICE void end(int64_t row, int64_t column, float sum) const {
    const int64_t at = row * columns + column;
    if (pre) pre[at] = Out(sum);
    if (slope_pre) sum *= curve_of(slope, float(slope_pre[at])).slope;
    c[at] = Out(curve_of(activation, sum).value);
  }
};

}  // namespace inbatch::cuda
