// Normalisation of rows. Contract: ops/norm.h.
//
// Rows are independent. Gradients of weight and bias are chains over the rows, cut by columns.
#include "../ops/norm.h"

#include <algorithm>

#include "../ops/run.h"
#include "kernels.h"

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

}  // namespace

template <>
void run<NormForward>(const Stream& stream, const NormForward& op) {
  stream.parallel_for((op.x.rows + kRows - 1) / kRows, [&](int64_t item, int) {
    const int64_t row = item * kRows;
    kernels().norm_forward({op.kind, op.epsilon, std::min(kRows, op.x.rows - row), op.x.cols,
                            at(op.x, row), at(op.residual, row), op.weight.f32(), op.bias.f32(),
                            at(op.sum, row), at(op.y, row), op.mean.f32() + row,
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
    kernels().norm_backward({op.kind, std::min(kRows, op.sum.rows - row), op.sum.cols,
                             at(op.sum, row), op.weight.f32(), op.mean.f32() + row,
                             op.rstd.f32() + row, at(op.dy, row), at(op.dx, row)});
  });
}

}  // namespace inbatch::cpu
