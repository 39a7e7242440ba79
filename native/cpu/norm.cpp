// Normalisation of rows. Contract: ops/norm.h.
//
// Rows are independent. Gradients of weight and bias are chains over the rows, cut by columns.
#include "../ops/norm.h"

#include <algorithm>

#include "../ops/run.h"
#include "kernels.h"
#include "loops.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kRows = 64, kColumns = 64;

float* at(const Tensor& tensor, int64_t row) {
  return tensor.empty() ? nullptr : tensor.f32() + row * tensor.cols;
}

void add_columns(const NormBackward& op, int64_t begin, int64_t end) {
  float *dweight = op.dweight.f32(), *dbias = op.dbias.f32();
  for (int64_t row = 0; row < op.sum.rows; ++row) {
    const float *x = at(op.sum, row), *dy = at(op.dy, row);
    const float mean = op.mean.f32()[row], rstd = op.rstd.f32()[row];
    for (int64_t j = begin; dweight && j < end; ++j) dweight[j] += dy[j] * ((x[j] - mean) * rstd);
    for (int64_t j = begin; dbias && j < end; ++j) dbias[j] += dy[j];
  }
}

// The same over the heads of each row, which lie side by side.
void add_head_columns(const HeadNormBackward& op, int64_t begin, int64_t end) {
  float *dweight = op.dweight.f32(), *dbias = op.dbias.f32();
  const int64_t width = op.weight.cols;
  for (int64_t item = 0; item < op.x.rows * op.heads; ++item) {
    const int64_t column = op.first + item % op.heads * width;
    const float *x = at(op.x, item / op.heads) + column, *dy = at(op.dy, item / op.heads) + column;
    const float mean = op.mean.f32()[item], rstd = op.rstd.f32()[item];
    for (int64_t j = begin; dweight && j < end; ++j) dweight[j] += dy[j] * ((x[j] - mean) * rstd);
    for (int64_t j = begin; dbias && j < end; ++j) dbias[j] += dy[j];
  }
}

}  // namespace

template <>
void run<NormForward>(const Stream& stream, const NormForward& op) {
  stream.parallel_for((op.x.rows + kRows - 1) / kRows, [&](int64_t item, int) {
    const int64_t row = item * kRows;
    kernels().norm_forward({op.kind, op.epsilon, op.offset, std::min(kRows, op.x.rows - row),
                            op.x.cols, at(op.x, row), at(op.residual, row), op.weight.f32(),
                            op.bias.f32(), at(op.sum, row), at(op.y, row), op.mean.f32() + row,
                            op.rstd.f32() + row});
  });
}

template <>
void run<NormBackward>(const Stream& stream, const NormBackward& op) {
  // The parameters first: dx may be dy.
  if (!op.dweight.empty() || !op.dbias.empty()) {
    stream.parallel_for((op.sum.cols + kColumns - 1) / kColumns, [&](int64_t item, int) {
      add_columns(op, item * kColumns, std::min(op.sum.cols, (item + 1) * kColumns));
    });
  }
  stream.parallel_for((op.sum.rows + kRows - 1) / kRows, [&](int64_t item, int) {
    const int64_t row = item * kRows;
    kernels().norm_backward({op.kind, op.offset, std::min(kRows, op.sum.rows - row), op.sum.cols,
                             at(op.sum, row), op.weight.f32(), op.mean.f32() + row,
                             op.rstd.f32() + row, at(op.dy, row), at(op.dx, row)});
  });
}

template <>
void run<HeadNormForward>(const Stream& stream, const HeadNormForward& op) {
  const int64_t width = op.weight.cols;
  over_rows(stream, op.x.rows, op.heads * width, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      kernels().norm_forward({op.kind, op.epsilon, op.offset, op.heads, width,
                              at(op.x, row) + op.first, nullptr, op.weight.f32(), op.bias.f32(),
                              nullptr, at(op.y, row) + op.first, at(op.mean, row),
                              at(op.rstd, row)});
    }
  });
}

template <>
void run<HeadNormBackward>(const Stream& stream, const HeadNormBackward& op) {
  const int64_t width = op.weight.cols;
  // The parameters first: dx may be dy.
  if (!op.dweight.empty() || !op.dbias.empty()) {
    over_columns(stream, width,
                 [&](int64_t begin, int64_t end) { add_head_columns(op, begin, end); });
  }
  over_rows(stream, op.x.rows, op.heads * width, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      kernels().norm_backward({op.kind, op.offset, op.heads, width, at(op.x, row) + op.first,
                               op.weight.f32(), at(op.mean, row), at(op.rstd, row),
                               at(op.dy, row) + op.first, at(op.dx, row) + op.first});
    }
  });
}

}  // namespace inbatch::cpu
