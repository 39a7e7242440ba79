// Normalisation of rows. Contract: ops/norm.h.
//
// Rows and heads are independent. Gradients of weight and bias are chains over them, cut by
// columns.
#include "../ops/norm.h"

#include <algorithm>

#include "../ops/run.h"
#include "kernels.h"
#include "loops.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kRows = 64;
constexpr int64_t kTurn = 16;         // rows of an item on the way back
constexpr int64_t kCached = 1 << 17;  // elements of a matrix on the way back at a time
constexpr int64_t kChain =
    32768;  // heads along one chain at a time: about a millisecond of a strip

float* at(const Tensor& tensor, int64_t row) {
  return tensor.empty() ? nullptr : tensor.f32() + row * tensor.cols;
}

float* beyond(float* data, int64_t column) { return data ? data + column : nullptr; }

// Gradients of the parameters: chains over rows and heads, an item is a strip of columns.
void add_parameters(const Stream& stream, const NormStrip& whole, int64_t width) {
  if (!whole.dweight && !whole.dbias) return;
  const int64_t step = std::max<int64_t>(1, kChain / whole.heads);
  for (int64_t row = 0; row < whole.rows; row += step) {
    stream.parallel_for((width + whole.columns - 1) / whole.columns, [&](int64_t item, int) {
      const int64_t column = item * whole.columns, first = row * whole.row + column;
      kernels().norm_parameters({std::min(step, whole.rows - row), whole.heads,
                                 std::min(whole.columns, width - column), whole.x + first,
                                 whole.dy + first, whole.row, whole.head,
                                 whole.mean + row * whole.heads, whole.rstd + row * whole.heads,
                                 beyond(whole.dweight, column), beyond(whole.dbias, column)});
    });
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

// Rows that the caches hold are read from memory once for both. Memory limits it, with what is
// written read first: on Zen 4 parts of 16 to 64 rows, and asking for the next rows or for dx
// early, changed nothing beyond the noise.
template <>
void run<NormBackward>(const Stream& stream, const NormBackward& op) {
  const int64_t rows = op.sum.rows, columns = op.sum.cols;
  const int64_t block =
      std::max<int64_t>(kCached / std::max<int64_t>(columns, 1) / kTurn, 1) * kTurn;
  const int64_t strip = strip_of_thread(stream, columns);
  for (int64_t first = 0; first < rows; first += block) {
    const int64_t end = std::min(rows, first + block);
    // The parameters first: dx may be dy.
    add_parameters(stream,
                   {end - first, 1, strip, at(op.sum, first), at(op.dy, first), columns, 0,
                    op.mean.f32() + first, op.rstd.f32() + first, op.dweight.f32(), op.dbias.f32()},
                   columns);
    stream.parallel_for((end - first + kTurn - 1) / kTurn, [&](int64_t item, int) {
      const int64_t row = first + item * kTurn;
      kernels().norm_backward({op.kind, op.offset, std::min(kTurn, end - row), columns,
                               at(op.sum, row), op.weight.f32(), op.mean.f32() + row,
                               op.rstd.f32() + row, at(op.dy, row), at(op.dx, row)});
    });
  }
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
  // The parameters first: dx may be dy. Narrow strips, for a head has few columns.
  add_parameters(stream,
                 {op.x.rows, op.heads, 16, op.x.f32() + op.first, op.dy.f32() + op.first, op.x.cols,
                  width, op.mean.f32(), op.rstd.f32(), op.dweight.f32(), op.dbias.f32()},
                 width);
  over_rows(stream, op.x.rows, op.heads * width, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      kernels().norm_backward({op.kind, op.offset, op.heads, width, at(op.x, row) + op.first,
                               op.weight.f32(), at(op.mean, row), at(op.rstd, row),
                               at(op.dy, row) + op.first, at(op.dx, row) + op.first});
    }
  });
}

}  // namespace inbatch::cpu
