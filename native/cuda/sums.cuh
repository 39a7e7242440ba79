// Sums in double over the rows, the columns or all of a matrix, of term(element, its column).
//
// Their order depends on the extent that is summed alone. Long sums have two stages: a number for
// each part of fixed size, then these numbers; finish(i, sum) is called once for each sum i.
//
// Each element is read once, by neighbouring threads that read neighbours, and the numbers of parts
// are 8 bytes for 16384 elements of a row, or for 256 of a column. Memory limits it on cards whose
// arithmetic in double is half as fast as in f32; where it is 1 / 64, the conversion and addition
// of each element come near to that.
#pragma once

#include "rows.cuh"

namespace inbatch::cuda {

constexpr int kSumThreads = 256;
constexpr int64_t kNarrow = 1024;  // columns up to which a warp has a row
constexpr int64_t kPart = 16384;   // elements of a row in one part
constexpr int64_t kTall = 256;     // rows of a part, of which a block has 32 columns

struct Itself {
  DEVICE double operator()(float x, int64_t) const { return double(x); }
};
struct Squared {
  DEVICE double operator()(float x, int64_t) const { return double(x) * double(x); }
};

// What becomes of the sum of all elements.
struct AddTo {
  double* result;
  DEVICE void operator()(int64_t, double sum) const { *result += sum; }
};

// A number for each warp of a block.
template <class T>
struct WarpParts {
  T of_warp[kSumThreads / 32];
};

struct Add2 {
  template <class T>
  DEVICE T operator()(T a, T b) const {
    return a + b;
  }
};
// The larger of two; what is no number counts for nothing.
struct Larger2 {
  template <class T>
  DEVICE T operator()(T a, T b) const {
    return b > a || a != a ? b : a;
  }
};

// What `fold` makes of the values of all threads of a block of whole warps, in a fixed order; in
// every thread the same bits.
template <class T, class Fold>
DEVICE T block_fold(T value, WarpParts<T>& parts, const Fold& fold) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    value = fold(value, __shfl_xor_sync(all_lanes, value, distance));
  }
  __syncthreads();  // parts: what the fold before this one read, before it is written below
  if (threadIdx.x % 32 == 0) parts.of_warp[threadIdx.x / 32] = value;
  __syncthreads();  // parts: written above, read below
  T result = parts.of_warp[0];
  for (unsigned warp = 1; warp < blockDim.x / 32; ++warp) {
    result = fold(result, parts.of_warp[warp]);
  }
  return result;
}

template <class T>
DEVICE T block_sum(T value, WarpParts<T>& parts) {
  return block_fold(value, parts, Add2{});
}

// Grid (rows / 8), 256 threads: a warp has a row. Each element is read once.
template <class Term, class Finish>
__global__ void __launch_bounds__(kRowThreads)
    sum_narrow_rows(const float* x, int64_t rows, int64_t columns, Term term, Finish finish) {
  const int64_t row = row_of_warp();
  if (row >= rows) return;
  double sum = 0;
  for (int64_t j = lane_of_row(); j < columns; j += 32) sum += term(x[row * columns + j], j);
  sum = warp_sum(sum);
  if (lane_of_row() == 0) finish(row, sum);
}

// Grid (rows x parts), 256 threads: a block has a part of a row, a thread every 256th element.
template <class Term>
__global__ void __launch_bounds__(kSumThreads)
    sum_parts_of_rows(double* sums, const float* x, int64_t columns, int64_t parts, Term term) {
  auto& shared = shared_memory<WarpParts<double>>();
  const int64_t row = blockIdx.x / parts, begin = blockIdx.x % parts * kPart;
  const int64_t end = columns - begin < kPart ? columns : begin + kPart;
  double sum = 0;
  for (int64_t j = begin + threadIdx.x; j < end; j += kSumThreads) {
    sum += term(x[row * columns + j], j);
  }
  sum = block_sum(sum, shared);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// Grid (rows), 256 threads: a block adds the parts of a row.
template <class Finish>
__global__ void __launch_bounds__(kSumThreads)
    add_parts_of_rows(const double* sums, int64_t parts, Finish finish) {
  auto& shared = shared_memory<WarpParts<double>>();
  const int64_t row = blockIdx.x;
  double sum = 0;
  for (int64_t part = threadIdx.x; part < parts; part += kSumThreads) {
    sum += sums[row * parts + part];
  }
  sum = block_sum(sum, shared);
  if (threadIdx.x == 0) finish(row, sum);
}

// Each row of (rows, parts) numbers.
template <class Finish>
void sum_numbers(const Stream& stream, const double* sums, int64_t rows, int64_t parts,
                 const Finish& finish) {
  launch(stream, {dim3(blocks_of(rows, 1)), dim3(kSumThreads), sizeof(WarpParts<double>)},
         add_parts_of_rows<Finish>, sums, parts, finish);
}

template <class Term, class Finish>
void sum_rows(const Stream& stream, const Tensor& x, const Term& term, const Finish& finish) {
  if (x.cols <= kNarrow) {
    return launch(stream, rows_extent(x.rows), sum_narrow_rows<Term, Finish>, x.f32(), x.rows,
                  x.cols, term, finish);
  }
  Scope scope(stream.scratch());
  const int64_t parts = (x.cols + kPart - 1) / kPart;
  double* sums = stream.scratch().tensor(x.rows, parts, Type::F64).as<double>();
  launch(stream, {dim3(blocks_of(x.rows * parts, 1)), dim3(kSumThreads), sizeof(WarpParts<double>)},
         sum_parts_of_rows<Term>, sums, x.f32(), x.cols, parts, term);
  sum_numbers(stream, sums, x.rows, parts, finish);
}

// The sum of all elements is that of one long row.
template <class Term, class Finish>
void sum_all(const Stream& stream, const Tensor& x, const Term& term, const Finish& finish) {
  sum_rows(stream, flattened(x), term, finish);
}

struct ColumnParts {
  double of_walker[kSumThreads / 32][32];
};

// Grid (groups of 256 rows x strips of 32 columns), 256 threads: a warp walks over every 8th row of
// a group, a lane has a column. Neighbours read neighbours.
template <class Term>
__global__ void __launch_bounds__(kSumThreads)
    sum_parts_of_columns(double* sums, const float* x, int64_t rows, int64_t columns,
                         int64_t strips, Term term) {
  auto& shared = shared_memory<ColumnParts>();
  const int walker = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int64_t group = blockIdx.x / strips, column = blockIdx.x % strips * 32 + lane;
  const int64_t begin = group * kTall, end = rows - begin < kTall ? rows : begin + kTall;
  double sum = 0;
  for (int64_t row = begin + walker; column < columns && row < end; row += kSumThreads / 32) {
    sum += term(x[row * columns + column], column);
  }
  shared.of_walker[walker][lane] = sum;
  __syncthreads();  // of_walker: written by all warps above, read by the first below
  if (walker > 0 || column >= columns) return;
  for (int other = 1; other < kSumThreads / 32; ++other) sum += shared.of_walker[other][lane];
  sums[group * columns + column] = sum;
}

// Grid (columns / 8), 256 threads: a warp adds the parts of a column.
template <class Finish>
__global__ void __launch_bounds__(kRowThreads)
    add_parts_of_columns(const double* sums, int64_t columns, int64_t groups, Finish finish) {
  const int64_t column = row_of_warp();
  if (column >= columns) return;
  double sum = 0;
  for (int64_t group = lane_of_row(); group < groups; group += 32) {
    sum += sums[group * columns + column];
  }
  sum = warp_sum(sum);
  if (lane_of_row() == 0) finish(column, sum);
}

template <class Term, class Finish>
void sum_columns(const Stream& stream, const Tensor& x, const Term& term, const Finish& finish) {
  Scope scope(stream.scratch());
  const int64_t groups = (x.rows + kTall - 1) / kTall, strips = (x.cols + 31) / 32;
  double* sums = stream.scratch().tensor(groups, x.cols, Type::F64).as<double>();
  launch(stream, {dim3(blocks_of(groups * strips, 1)), dim3(kSumThreads), sizeof(ColumnParts)},
         sum_parts_of_columns<Term>, sums, x.f32(), x.rows, x.cols, strips, term);
  launch(stream, rows_extent(x.cols), add_parts_of_columns<Finish>,
         static_cast<const double*>(sums), x.cols, groups, finish);
}

}  // namespace inbatch::cuda
