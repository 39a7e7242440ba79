// Products with weights of 7 bits. Contract: ops/quantized.h.
//
// A weight lies here as rows of words (panels(N) * 16, words(K)). Rows of x become words of signed
// bytes in scratch, so `sums` is not needed: without the 128 the sums are the same whole numbers.
// The product is the plain tile with four products of bytes to an instruction: a block has 64 x 64
// sums, a thread 8 x 4, and arithmetic limits it (tile.cuh); no tensor core takes part. Packing and
// rounding have a warp for each row, which is read two or three times, after the first from the
// cache, and written as a quarter of its bytes; memory limits them.
#include "../ops/quantized.h"

#include "functions.cuh"
#include "rows.cuh"
#include "tile.cuh"

namespace inbatch::cuda {
namespace {

constexpr float kMostOfWeight = 63, kMostOfRow = 127;

DEVICE float warp_largest(float value) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    value = fmaxf(value, __shfl_xor_sync(all_lanes, value, distance));
  }
  return value;
}

// The largest magnitude of a row, in every lane; what is no number does not count.
DEVICE float largest_of_row(const float* row, int64_t columns) {
  float most = 0.0f;
  for (int64_t k = lane_of_row(); k < columns; k += 32) most = fmaxf(most, fabsf(row[k]));
  return warp_largest(most);
}

// Four neighbours as bytes, the first in the lowest; columns beyond the last are zero. `sum` gets
// what they add up to.
DEVICE int32_t word_of(const float* row, int64_t columns, int64_t word, float inverse, float most,
                       int32_t& sum) {
  uint32_t bytes = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int64_t k = 4 * word + i;
    const float whole = k < columns ? rintf(row[k] * inverse) : 0.0f;
    const auto value = int32_t(fminf(most, fmaxf(-most, whole)));
    bytes |= (uint32_t(value) & 0xff) << (8 * i);
    sum += value;
  }
  return int32_t(bytes);
}

struct Pack {
  const float* weight;
  int32_t* packed;
  float* scale;
  int32_t* sums;
  int64_t rows, columns, words, lanes;  // lanes: rows rounded up to whole panels
};

// Grid (lanes / 8), 256 threads: a warp has a row, which it reads twice.
__global__ void __launch_bounds__(kRowThreads) pack_rows(Pack op) {
  const int64_t row = row_of_warp();
  if (row >= op.lanes) return;
  const bool exists = row < op.rows;
  const float* from = op.weight + row * op.columns;
  const float most = exists ? largest_of_row(from, op.columns) : 0.0f;
  const float scale = most / kMostOfWeight, inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
  int32_t sum = 0;
  for (int64_t word = lane_of_row(); word < op.words; word += 32) {
    op.packed[row * op.words + word] =
        word_of(from, exists ? op.columns : 0, word, inverse, kMostOfWeight, sum);
  }
  sum = warp_sum(sum);
  if (lane_of_row() > 0) return;
  op.scale[row] = scale;
  op.sums[row] = 128 * sum;
}

struct Quantize {
  const float* x;
  int32_t* bytes;
  float* factor;
  int64_t rows, columns, words;
};

// Grid (M / 8), 256 threads: a warp has a row. One that holds what is no number or no finite one
// gets a factor that is no number.
__global__ void __launch_bounds__(kRowThreads) quantize_rows(Quantize op) {
  const int64_t row = row_of_warp();
  if (row >= op.rows) return;
  const float* from = op.x + row * op.columns;
  float broken = 0.0f;
  for (int64_t k = lane_of_row(); k < op.columns; k += 32) broken = fmaf(from[k], 0.0f, broken);
  broken = warp_sum(broken);
  const float most = largest_of_row(from, op.columns);
  const float inverse = most > 1e-35f ? kMostOfRow / most : 0.0f;
  int32_t sum = 0;
  for (int64_t word = lane_of_row(); word < op.words; word += 32) {
    op.bytes[row * op.words + word] = word_of(from, op.columns, word, inverse, kMostOfRow, sum);
  }
  if (lane_of_row() == 0) op.factor[row] = most / kMostOfRow + broken;
}

struct BytesForward {
  using Element = int32_t;
  static constexpr bool across = false;
  TileLines<int32_t> a, b;
  int64_t depth;
  const float *factor, *scale, *bias;
  Activation activation;
  float* y;

  DEVICE int32_t begin(int64_t, int64_t) const { return 0; }
  DEVICE void end(int64_t row, int64_t column, int32_t sum) const {
    const float start = bias ? bias[column] : 0.0f;
    const float value = fmaf(float(sum), factor[row] * scale[column], start);
    y[row * b.count + column] = curve_of(activation, value).value;
  }
};

}  // namespace

template <>
void run<QuantizedPack>(const Stream& stream, const QuantizedPack& op) {
  const Pack pack{
      op.weight.f32(), op.packed.i32(), op.scale.f32(),           op.sums.i32(),
      op.weight.rows,  op.weight.cols,  words_of(op.weight.cols), kPanel * op.packed.rows};
  launch(stream, rows_extent(pack.lanes), pack_rows, pack);
}

template <>
void run<QuantizedForward>(const Stream& stream, const QuantizedForward& op) {
  const int64_t rows = op.x.rows, words = words_of(op.x.cols);
  const Scope scope(stream.scratch());
  const Tensor bytes = stream.scratch().tensor(rows, words, Type::I32);
  const Tensor factor = stream.scratch().tensor(1, rows);
  const Quantize quantize{op.x.f32(), bytes.i32(), factor.f32(), rows, op.x.cols, words};
  launch(stream, rows_extent(rows), quantize_rows, quantize);
  multiply_tiles(stream, BytesForward{{bytes.i32(), rows, words},
                                      {op.packed.i32(), op.y.cols, words},
                                      words,
                                      factor.f32(),
                                      op.scale.f32(),
                                      op.bias.f32(),
                                      op.activation,
                                      op.y.f32()});
}

}  // namespace inbatch::cuda
