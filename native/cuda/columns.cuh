// Sums over rows for each column, in two stages: groups of 256 rows, then the groups in their
// order. The bits follow from the rows alone; nothing is added atomically.
#pragma once

#include "launch.cuh"

namespace inbatch::cuda {

constexpr int kStripColumns = 32, kLines = 8, kColumnThreads = kStripColumns * kLines;
constexpr int kGroupRows = 256;

constexpr int64_t groups_of(int64_t rows) { return (rows + kGroupRows - 1) / kGroupRows; }

struct Lines {
  float sum[kLines][kStripColumns];
};

// The sum over the lines of a block, for the threads of line 0. All threads must come.
DEVICE float sum_of_lines(Lines& lines, float value) {
  const int column = threadIdx.x % kStripColumns, line = threadIdx.x / kStripColumns;
  lines.sum[line][column] = value;
  __syncthreads();  // sums of lines written -> read by line 0
  float sum = 0.0f;
  for (int l = 0; line == 0 && l < kLines; ++l) sum += lines.sum[l][column];
  __syncthreads();  // sums read -> written by the next call
  return sum;
}

// Grid (groups, C / 32), 256 threads: a block has 256 rows of 32 columns, a thread every eighth row
// of one column, so that a warp reads neighbours. parts is (count, groups, C).
// body(row, column, sums) adds what the element gives to each of `count` sums.
template <int count, class Body>
__global__ void __launch_bounds__(kColumnThreads)
    sum_groups(Body body, float* parts, int64_t rows, int64_t columns) {
  Lines& lines = shared_memory<Lines>();
  const int64_t group = blockIdx.x, groups = gridDim.x;
  const int64_t column = int64_t(blockIdx.y) * kStripColumns + threadIdx.x % kStripColumns;
  const int64_t begin = group * kGroupRows;
  const int64_t end = begin + kGroupRows < rows ? begin + kGroupRows : rows;
  float sums[count] = {};
  for (int64_t row = begin + threadIdx.x / kStripColumns; row < end; row += kLines) {
    if (column < columns) body(row, column, sums);
  }
#pragma unroll
  for (int i = 0; i < count; ++i) {
    const float sum = sum_of_lines(lines, sums[i]);
    if (threadIdx.x < kStripColumns && column < columns) {
      parts[(i * groups + group) * columns + column] = sum;
    }
  }
}

// Grid (C / 32), 256 threads: total += the sums of all groups.
template <class T>
__global__ void __launch_bounds__(kColumnThreads)
    add_groups(T* total, const float* parts, int64_t groups, int64_t columns) {
  Lines& lines = shared_memory<Lines>();
  const int64_t column = int64_t(blockIdx.x) * kStripColumns + threadIdx.x % kStripColumns;
  float sum = 0.0f;
  for (int64_t group = threadIdx.x / kStripColumns; group < groups; group += kLines) {
    if (column < columns) sum += parts[group * columns + column];
  }
  sum = sum_of_lines(lines, sum);
  if (threadIdx.x < kStripColumns && column < columns) {
    total[column] = T(float(total[column]) + sum);
  }
}

// Adds to each total (1, C), unless it is null, the sum over the rows of what body gives to it.
template <int count, class Body>
void add_columns(const Stream& stream, int64_t rows, int64_t columns, const Body& body,
                 float* const (&totals)[count]) {
  if (rows == 0 || columns == 0) return;
  const Scope scope(stream.scratch());
  const int64_t groups = groups_of(rows);
  const Tensor parts = stream.scratch().tensor(count * groups, columns);
  const dim3 strips(blocks_of(columns, kStripColumns));
  launch(stream, {dim3(blocks_of(groups, 1), strips.x), dim3(kColumnThreads), sizeof(Lines)},
         sum_groups<count, Body>, body, parts.f32(), rows, columns);
  for (int i = 0; i < count; ++i) {
    if (!totals[i]) continue;
    launch(stream, {strips, dim3(kColumnThreads), sizeof(Lines)}, add_groups<float>, totals[i],
           parts.slice(i * groups, groups).f32(), groups, columns);
  }
}

}  // namespace inbatch::cuda
