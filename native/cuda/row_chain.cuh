// Rows of f32 added one after the other, so that no bit depends on where a batch is cut.
//
// A block has 32 columns; of 32 rows a thread brings four elements, and a lane of the first warp
// adds a column. Limited by the chain: an addition after the other for each row, and two barriers
// for 32 of them, on C / 32 blocks, which seldom fill a card.
#pragma once

#include "launch.cuh"

namespace inbatch::cuda {
namespace {

constexpr int kStripSide = 32, kStripLines = 8;  // rows and columns at a time; a warp per line

struct Strip {
  float value[kStripSide][kStripSide];
};

// Grid (C / 32), 256 threads: total += the rows of x, one chain for each column. A block brings 32
// rows of 32 columns into shared memory at a time and its first warp adds them in order.
__global__ void __launch_bounds__(kStripSide* kStripLines)
    chain_rows(float* total, const float* x, int64_t rows, int64_t columns) {
  auto& strip = shared_memory<Strip>();
  const int own = int(threadIdx.x) % kStripSide, line = int(threadIdx.x) / kStripSide;
  const int64_t column = int64_t(blockIdx.x) * kStripSide + own;
  const bool exists = column < columns, adds = line == 0 && exists;
  float sum = adds ? total[column] : 0.0f;
  for (int64_t first = 0; first < rows; first += kStripSide) {
    for (int i = line; i < kStripSide; i += kStripLines) {
      const bool within = exists && first + i < rows;
      strip.value[i][own] = within ? x[(first + i) * columns + column] : 0.0f;
    }
    __syncthreads();  // strip written -> added by the first warp
    for (int i = 0; adds && i < kStripSide && first + i < rows; ++i) sum += strip.value[i][own];
    __syncthreads();  // strip added -> overwritten by the next rows
  }
  if (adds) total[column] = sum;
}

void add_rows(const Stream& stream, float* total, const Tensor& x) {
  launch(stream,
         {dim3(blocks_of(x.cols, kStripSide)), dim3(kStripSide * kStripLines), sizeof(Strip)},
         chain_rows, total, static_cast<const float*>(x.f32()), x.rows, x.cols);
}

}  // namespace
}  // namespace inbatch::cuda
