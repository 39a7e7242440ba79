// How a tile of Hopper's products of rows ends. A warp's sums go by way of shared memory, 32
// columns at a time, so that what goes to memory goes in 16-byte pieces of rows.
#pragma once

#include "product.cuh"

namespace inbatch::cuda {

constexpr int kEnding = 32, kEndingPitch = kEnding + 8;  // columns that end at a time
using Ending = float[16][kEndingPitch];

// The sums of a warp, 16 rows from `row` on.
template <int columns>
DEVICE void end_sums(const Product<bf16>& product, const float (&sum)[columns / 2], Ending& ending,
                     int row, int column, bool whole) {
  const int lane = int(threadIdx.x) % 32;
#pragma unroll 1
  for (int part = 0; part < columns / kEnding; ++part) {
    // Registers have no index: each part has stores of its own.
#pragma unroll
    for (int own = 0; own < columns / kEnding; ++own) {
      if (own != part) continue;
#pragma unroll
      for (int j = 0; j < kEnding / 2; ++j) {
        ending[lane / 4 + j % 4 / 2 * 8][j / 4 * 8 + lane % 4 * 2 + j % 2] =
            sum[own * (kEnding / 2) + j];
      }
    }
    __syncwarp();  // sums written -> read along their rows
#pragma unroll 1
    for (int own = lane; own < 16 * kEnding / 8; own += 32) {
      const int at = own % (kEnding / 8) * 8, line = own / (kEnding / 8);
      const int first = column + part * kEnding + at;
      if (row + line >= product.rows || first >= product.columns) continue;
      product.end_eight(row + line, first, &ending[line][at], whole);
    }
    __syncwarp();  // sums read -> overwritten by the next part
  }
}

}  // namespace inbatch::cuda
