// Copies of parts of matrices. Contract: ops/layout.h.
//
// Work on single elements (elements.cuh), each read and written once: memory limits it. The
// gradient of gathered rows has one writer for each row (sort.cuh).
#include "../ops/layout.h"

#include "elements.cuh"
#include "faults.cuh"
#include "sort.cuh"

namespace inbatch::cuda {
namespace {

struct CutColumns {
  const float* x;
  float* y;
  int64_t wide, columns, first;  // columns of x, of y, and the first that is cut
  DEVICE void operator()(int64_t i) const { y[i] = x[i / columns * wide + first + i % columns]; }
};

// Either over x, into y, or over all of y, which is zero beside x.
struct PasteRows {
  const float* x;
  float* y;
  int64_t rows, columns, wide, row, column;  // of x, of y, and where x goes
  bool clear;
  DEVICE void operator()(int64_t i) const {
    if (!clear) {
      y[(i / columns + row) * wide + i % columns + column] = x[i];
      return;
    }
    const int64_t from = i / wide - row, j = i % wide - column;
    const bool is_inside = from >= 0 && from < rows && j >= 0 && j < columns;
    y[i] = is_inside ? x[from * columns + j] : 0.0f;
  }
};

constexpr int kSide = 32, kSideRows = 8;

struct TransposeShared {
  float at[kSide][kSide + 1];  // the one beyond: a column meets all banks once
};

// Grid (C / 32, M / 32), 32 by 8 threads: a block turns a square. Neighbours read and write
// neighbours.
__global__ void __launch_bounds__(kSide* kSideRows)
    transpose_squares(const float* __restrict__ x, float* __restrict__ y, int64_t rows,
                      int64_t columns) {
  auto& square = shared_memory<TransposeShared>().at;
  const int64_t tall = (rows + kSide - 1) / kSide;
  const int64_t row = blockIdx.x % tall * kSide, column = blockIdx.x / tall * kSide;
  for (int i = int(threadIdx.y); i < kSide; i += kSideRows) {
    const bool is_there = row + i < rows && column + threadIdx.x < columns;
    if (is_there) square[i][threadIdx.x] = x[(row + i) * columns + column + threadIdx.x];
  }
  __syncthreads();  // square written -> read by columns
  for (int j = int(threadIdx.y); j < kSide; j += kSideRows) {
    const bool is_there = row + threadIdx.x < rows && column + j < columns;
    if (is_there) y[(column + j) * rows + row + threadIdx.x] = square[threadIdx.x][j];
  }
}

DEVICE bool is_within(int32_t index, int64_t limit) { return index >= 0 && index < limit; }

struct Pick {
  const float* x;
  const int32_t* chosen;
  float* y;
  int64_t columns;
  DEVICE void operator()(int64_t row) const {
    if (is_within(chosen[row], columns)) y[row] = x[row * columns + chosen[row]];
  }
};

struct Unpick {
  const float* dy;
  const int32_t* chosen;
  float* dx;
  int64_t columns;
  DEVICE void operator()(int64_t i) const {
    dx[i] = i % columns == chosen[i / columns] ? dy[i / columns] : 0.0f;
  }
};

struct Gather {
  const float* x;
  const int32_t* rows;
  float* y;
  int64_t count, columns;
  DEVICE void operator()(int64_t i) const {
    const int32_t row = rows[i / columns];
    if (is_within(row, count)) y[i] = x[row * columns + i % columns];
  }
};

// What is sorted by; rows that are not there go nowhere.
struct KeyOfRow {
  const int32_t* rows;
  int32_t* keys;
  int32_t limit;
  DEVICE void operator()(int64_t i) const { keys[i] = is_within(rows[i], limit) ? rows[i] : limit; }
};

}  // namespace

template <>
void run<Cut>(const Stream& stream, const Cut& op) {
  over_elements(stream, op.y.size(),
                CutColumns{op.x.f32(), op.y.f32(), op.x.cols, op.y.cols, op.column});
}

template <>
void run<Paste>(const Stream& stream, const Paste& op) {
  over_elements(stream, op.clear ? op.y.size() : op.x.size(),
                PasteRows{op.x.f32(), op.y.f32(), op.x.rows, op.x.cols, op.y.cols, op.row,
                          op.column, op.clear});
}

template <>
void run<Transpose>(const Stream& stream, const Transpose& op) {
  const int64_t tall = (op.x.rows + kSide - 1) / kSide, wide = (op.x.cols + kSide - 1) / kSide;
  launch(stream, {dim3(blocks_of(tall * wide, 1)), dim3(kSide, kSideRows), sizeof(TransposeShared)},
         transpose_squares, op.x.f32(), op.y.f32(), op.x.rows, op.x.cols);
}

template <>
void run<PickForward>(const Stream& stream, const PickForward& op) {
  expect_within(stream, op.name, "columns", op.columns, op.x.cols);
  over_elements(stream, op.x.rows, Pick{op.x.f32(), op.columns.i32(), op.y.f32(), op.x.cols});
}

template <>
void run<PickBackward>(const Stream& stream, const PickBackward& op) {
  expect_within(stream, op.name, "columns", op.columns, op.dx.cols);
  over_elements(stream, op.dx.size(),
                Unpick{op.dy.f32(), op.columns.i32(), op.dx.f32(), op.dx.cols});
}

template <>
void run<GatherForward>(const Stream& stream, const GatherForward& op) {
  expect_within(stream, op.name, "rows", op.rows, op.x.rows);
  over_elements(stream, op.y.size(),
                Gather{op.x.f32(), op.rows.i32(), op.y.f32(), op.x.rows, op.x.cols});
}

template <>
void run<GatherBackward>(const Stream& stream, const GatherBackward& op) {
  const int64_t count = op.rows.size();
  expect_within(stream, op.name, "rows", op.rows, op.dx.rows);
  const Scope scope(stream.scratch());
  int32_t* keys = stream.scratch().tensor(1, count, Type::I32).i32();
  stream.clear(op.dx.data, size_t(op.dx.bytes()));
  over_elements(stream, count, KeyOfRow{op.rows.i32(), keys, int32_t(op.dx.rows)});
  add_runs(stream, sort_places(stream, keys, count, op.dx.rows), op.dy, op.dx, 1.0f, false);
}

}  // namespace inbatch::cuda
