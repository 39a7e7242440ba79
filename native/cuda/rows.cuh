// Work on rows, one warp each: which row a warp has, sums over a row, the text a row belongs to.
#pragma once

#include "launch.cuh"

namespace inbatch::cuda {

constexpr int kRowThreads = 256, kRowsEach = kRowThreads / 32;

inline Extent rows_extent(int64_t rows) {
  return {dim3(blocks_of(rows, kRowsEach)), dim3(kRowThreads)};
}

// The row of this warp; may lie beyond the last.
DEVICE int64_t row_of_warp() { return int64_t(blockIdx.x) * kRowsEach + threadIdx.x / 32; }
DEVICE int lane_of_row() { return threadIdx.x % 32; }

// The sum over the lanes of a warp, in every lane the same bits. The order is that of the lanes'
// distance, so it depends on nothing but the width of the row.
template <class T>
DEVICE T warp_sum(T value) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    value += __shfl_xor_sync(all_lanes, value, distance);
  }
  return value;
}

// Which of the `texts` texts that these offsets part holds a row: the first whose end lies beyond
// it; `texts` when none does.
DEVICE int text_of_row(const int32_t* offsets, int texts, int64_t row) {
  int first = 0, last = texts;
  while (first < last) {
    const int middle = (first + last) / 2;
    if (offsets[middle + 1] <= row) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  return first;
}

}  // namespace inbatch::cuda
