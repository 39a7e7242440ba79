// Pooling and unit length. Contract: ops/pool.h. An item is one text or one row.
#include "../ops/pool.h"

#include <algorithm>
#include <cmath>

#include "../ops/run.h"
#include "kernels.h"

namespace inbatch::cpu {
namespace {

struct Rows {
  int64_t begin, end;
  bool empty() const { return begin == end; }
};

Rows rows_of(const Tensor& offsets, int64_t text) {
  return {offsets.i32()[text], offsets.i32()[text + 1]};
}

// The rows that a kind looks at, and the weight of each.
Rows chosen(Pooling kind, Rows rows) {
  if (rows.empty() || kind == Pooling::Mean) return rows;
  return kind == Pooling::Cls ? Rows{rows.begin, rows.begin + 1} : Rows{rows.end - 1, rows.end};
}

float weight_of(Rows rows) { return rows.empty() ? 0.0f : 1.0f / float(rows.end - rows.begin); }

}  // namespace

template <>
void run<PoolForward>(const Stream& stream, const PoolForward& op) {
  stream.parallel_for(op.y.rows, [&](int64_t text, int) {
    const Rows rows = chosen(op.kind, rows_of(op.offsets, text));
    float* y = op.y.f32() + text * op.y.cols;
    std::fill(y, y + op.y.cols, 0.0f);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const float* x = op.x.f32() + row * op.x.cols;
      for (int64_t j = 0; j < op.y.cols; ++j) y[j] += x[j];
    }
    const float weight = weight_of(rows);
    for (int64_t j = 0; j < op.y.cols; ++j) y[j] *= weight;
  });
}

template <>
void run<PoolBackward>(const Stream& stream, const PoolBackward& op) {
  stream.parallel_for(op.dy.rows, [&](int64_t text, int) {
    const Rows all = rows_of(op.offsets, text), rows = chosen(op.kind, all);
    const float weight = weight_of(rows);
    const float* dy = op.dy.f32() + text * op.dy.cols;
    for (int64_t row = all.begin; row < all.end; ++row) {
      const float share = row >= rows.begin && row < rows.end ? weight : 0.0f;
      float* dx = op.dx.f32() + row * op.dx.cols;
      for (int64_t j = 0; j < op.dx.cols; ++j) dx[j] = dy[j] * share;
    }
  });
}

template <>
void run<NormalizeForward>(const Stream& stream, const NormalizeForward& op) {
  const int64_t columns = op.x.cols;
  stream.parallel_for(op.x.rows, [&](int64_t row, int) {
    const float* x = op.x.f32() + row * columns;
    float* y = op.y.f32() + row * columns;
    const float norm = std::max(std::sqrt(kernels().dot(x, x, columns)), 1e-12f);
    const float scale = 1.0f / norm;
    for (int64_t j = 0; j < columns; ++j) y[j] = x[j] * scale;
    op.norm.f32()[row] = norm;
  });
}

template <>
void run<NormalizeBackward>(const Stream& stream, const NormalizeBackward& op) {
  const int64_t columns = op.y.cols;
  stream.parallel_for(op.y.rows, [&](int64_t row, int) {
    const float *y = op.y.f32() + row * columns, *dy = op.dy.f32() + row * columns;
    float* dx = op.dx.f32() + row * columns;
    const float along = kernels().dot(dy, y, columns), scale = 1.0f / op.norm.f32()[row];
    for (int64_t j = 0; j < columns; ++j) dx[j] = (dy[j] - y[j] * along) * scale;
  });
}

}  // namespace inbatch::cpu
