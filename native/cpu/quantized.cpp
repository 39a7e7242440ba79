// Products with weights of 7 bits. Contract: ops/quantized.h.
#include "../ops/quantized.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "../ops/run.h"
#include "kernels.h"
#include "strips.h"

namespace inbatch::cpu {
namespace {

constexpr float kMost = 63;  // of a weight

// One row of the weight into its lane of a panel; returns the sum of what it became.
int32_t pack_row(const float* row, int64_t columns, float scale, int32_t* words) {
  int32_t sum = 0;
  const float inverse = scale > 0 ? 1 / scale : 0;
  for (int64_t k = 0; k < columns; ++k) {
    const float whole = std::nearbyintf(row[k] * inverse);
    const int32_t q = int32_t(std::min(kMost, std::max(-kMost, whole)));
    words[k / 4 * kPanel] |= int32_t(uint32_t(q & 0xff) << (8 * (k % 4)));
    sum += q;
  }
  return sum;
}

}  // namespace

template <>
void run<QuantizedPack>(const Stream& stream, const QuantizedPack& op) {
  const Tensor& w = op.weight;
  stream.parallel_for(op.packed.rows, [&](int64_t panel, int) {
    int32_t* words = op.packed.i32() + panel * op.packed.cols;
    std::memset(words, 0, size_t(op.packed.cols) * sizeof(int32_t));
    for (int64_t lane = 0; lane < kPanel; ++lane) {
      const int64_t n = panel * kPanel + lane;
      op.scale.f32()[n] = 0;
      op.sums.i32()[n] = 0;
      if (n >= w.rows) continue;
      const float* row = w.f32() + n * w.cols;
      float most = 0;
      for (int64_t k = 0; k < w.cols; ++k) most = std::max(most, std::fabs(row[k]));
      op.scale.f32()[n] = most / kMost;
      op.sums.i32()[n] = 128 * pack_row(row, w.cols, most / kMost, words + lane);
    }
  });
}

template <>
void run<QuantizedForward>(const Stream& stream, const QuantizedForward& op) {
  const int64_t rows = op.x.rows, depth = op.x.cols, words = words_of(depth);
  Scope scope(stream.scratch());
  const Tensor bytes = stream.scratch().tensor(rows, words, Type::I32);
  const Tensor factor = stream.scratch().tensor(1, rows);
  constexpr int64_t kRowsAtOnce = 32;
  stream.parallel_for(ceil_div(rows, kRowsAtOnce), [&](int64_t item, int) {
    const int64_t row = item * kRowsAtOnce, count = std::min(kRowsAtOnce, rows - row);
    kernels().quantize_rows(op.x.f32() + row * depth, count, depth,
                            reinterpret_cast<uint8_t*>(bytes.slice(row, count).data),
                            factor.f32() + row);
  });
  for_each_strip(stream, rows, op.y.cols, depth, [&](const Strip& part) {
    const int64_t column = part.column;
    const float* bias = op.bias.empty() ? nullptr : op.bias.f32() + column;
    kernels().byte_product(
        {reinterpret_cast<const uint8_t*>(bytes.slice(part.row, part.rows).data), 4 * words,
         factor.f32() + part.row, op.packed.i32() + column / kPanel * op.packed.cols,
         op.packed.cols, op.scale.f32() + column, op.sums.i32() + column, bias, op.activation,
         op.y.f32() + part.row * op.y.cols + column, op.y.cols, part.rows, part.columns, words});
  });
}

}  // namespace inbatch::cpu
