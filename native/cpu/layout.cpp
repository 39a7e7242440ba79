// Copies of parts of matrices. Contract: ops/layout.h.
#include "../ops/layout.h"

#include <algorithm>
#include <cstring>

#include "../ops/run.h"
#include "loops.h"

namespace inbatch::cpu {
namespace {

void copy(float* to, const float* from, int64_t count) {
  if (count > 0) std::memcpy(to, from, size_t(count) * sizeof(float));
}

// Indices are contents, so they cannot be looked at before the work runs.
void expect_within(const char* op, const char* field, const Tensor& indices, int64_t limit) {
  for (int64_t i = 0; i < indices.size(); ++i) {
    const int32_t index = indices.i32()[i];
    if (index >= 0 && index < limit) continue;
    refuse(op, std::string("expected ") + field + " below " + std::to_string(limit) + ", got " +
                   std::to_string(index) + " at " + std::to_string(i));
  }
}

void paste_row(const Paste& op, int64_t row) {
  float* y = op.y.f32() + row * op.y.cols;
  const int64_t from = row - op.row, end = op.column + op.x.cols;
  const bool covered = from >= 0 && from < op.x.rows;
  if (op.clear) std::fill(y, y + (covered ? op.column : op.y.cols), 0.0f);
  if (!covered) return;
  copy(y + op.column, op.x.f32() + from * op.x.cols, op.x.cols);
  if (op.clear) std::fill(y + end, y + op.y.cols, 0.0f);
}

}  // namespace

template <>
void run<Cut>(const Stream& stream, const Cut& op) {
  const int64_t columns = op.y.cols;
  over_rows(stream, op.y.rows, columns, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      copy(op.y.f32() + row * columns, op.x.f32() + row * op.x.cols + op.column, columns);
    }
  });
}

template <>
void run<Paste>(const Stream& stream, const Paste& op) {
  const int64_t first = op.clear ? 0 : op.row, rows = op.clear ? op.y.rows : op.x.rows;
  over_rows(stream, rows, op.y.cols, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) paste_row(op, first + row);
  });
}

template <>
void run<Transpose>(const Stream& stream, const Transpose& op) {
  constexpr int64_t kSide = 64;  // two tiles of 16 KiB stay in the first cache
  const int64_t rows = op.x.rows, columns = op.x.cols, wide = (columns + kSide - 1) / kSide;
  stream.parallel_for((rows + kSide - 1) / kSide * wide, [&](int64_t item, int) {
    const int64_t row = item / wide * kSide, column = item % wide * kSide;
    for (int64_t j = column; j < std::min(columns, column + kSide); ++j) {
      for (int64_t i = row; i < std::min(rows, row + kSide); ++i) {
        op.y.f32()[j * rows + i] = op.x.f32()[i * columns + j];
      }
    }
  });
}

template <>
void run<PickForward>(const Stream&, const PickForward& op) {
  expect_within(op.name, "columns", op.columns, op.x.cols);
  for (int64_t row = 0; row < op.x.rows; ++row) {
    op.y.f32()[row] = op.x.f32()[row * op.x.cols + op.columns.i32()[row]];
  }
}

template <>
void run<PickBackward>(const Stream& stream, const PickBackward& op) {
  const int64_t columns = op.dx.cols;
  expect_within(op.name, "columns", op.columns, columns);
  over_rows(stream, op.dx.rows, columns, [&](int64_t begin, int64_t end) {
    std::fill(op.dx.f32() + begin * columns, op.dx.f32() + end * columns, 0.0f);
    for (int64_t row = begin; row < end; ++row) {
      op.dx.f32()[row * columns + op.columns.i32()[row]] = op.dy.f32()[row];
    }
  });
}

template <>
void run<GatherForward>(const Stream& stream, const GatherForward& op) {
  const int64_t columns = op.x.cols;
  expect_within(op.name, "rows", op.rows, op.x.rows);
  over_rows(stream, op.y.rows, columns, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      copy(op.y.f32() + row * columns, op.x.f32() + op.rows.i32()[row] * columns, columns);
    }
  });
}

template <>
void run<GatherBackward>(const Stream& stream, const GatherBackward& op) {
  const int64_t columns = op.dx.cols;
  expect_within(op.name, "rows", op.rows, op.dx.rows);
  over_columns(stream, columns, [&](int64_t begin, int64_t end) {
    for (int64_t row = 0; row < op.dx.rows; ++row) {
      float* dx = op.dx.f32() + row * columns;
      std::fill(dx + begin, dx + end, 0.0f);
    }
    for (int64_t row = 0; row < op.dy.rows; ++row) {
      float* dx = op.dx.f32() + op.rows.i32()[row] * columns;
      const float* dy = op.dy.f32() + row * columns;
      for (int64_t j = begin; j < end; ++j) dx[j] += dy[j];
    }
  });
}

}  // namespace inbatch::cpu
