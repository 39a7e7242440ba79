// Pooling and unit length. Contract: ops/pool.h. An item is a strip of one text, or one row.
#include "../ops/pool.h"

#include <algorithm>
#include <cmath>

#include "../ops/run.h"
#include "kernels.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kStripColumns = 512;  // a text of 32768 rows takes some 3 ms

struct Columns {
  int64_t begin, end;
};

struct Rows {
  int64_t begin, end;
  int64_t place = 1;  // of the first in its text
  int64_t count() const { return end - begin; }
  bool empty() const { return begin == end; }
};

// The rows that a pooling of the text looks at.
Rows rows_of(Pooling kind, const Tensor& offsets, const Tensor& skip, int64_t text) {
  const int64_t first = offsets.i32()[text], end = offsets.i32()[text + 1];
  const int64_t left_out = skip.empty() ? 0 : skip.i32()[text];
  Rows rows{std::min(end, first + left_out), end};
  rows.place = rows.begin - first + 1;
  if (rows.empty()) return rows;
  if (kind == Pooling::Cls) rows.end = rows.begin + 1;
  if (kind == Pooling::Last) rows.begin = end - 1;
  return rows;
}

// Of the row that is `index` further than the first, before the sum is divided.
float weight_of(Pooling kind, Rows rows, int64_t index) {
  return kind == Pooling::WeightedMean ? float(rows.place + index) : 1.0f;
}

// What multiplies the weighted sum.
float share_of(Pooling kind, Rows rows) {
  const double count = double(rows.count());
  if (rows.empty()) return 0.0f;
  if (kind == Pooling::MeanSqrtLen) return float(1.0 / std::sqrt(count));
  if (kind != Pooling::WeightedMean) return float(1.0 / count);
  return float(1.0 / (count * (double(rows.place) + (count - 1.0) / 2.0)));
}

void pool_sum(const PoolForward& op, Rows rows, Columns strip, float* y) {
  std::fill(y + strip.begin, y + strip.end, 0.0f);
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const float* x = op.x.f32() + row * op.x.cols;
    const float weight = weight_of(op.kind, rows, row - rows.begin);
    for (int64_t j = strip.begin; j < strip.end; ++j) y[j] += x[j] * weight;
  }
  const float share = share_of(op.kind, rows);
  for (int64_t j = strip.begin; j < strip.end; ++j) y[j] *= share;
}

// Whether x comes before the largest so far: what is no number comes before all numbers and stays.
bool leads(float x, float most) { return !(x <= most) && most == most; }

void pool_most(const PoolForward& op, Rows rows, Columns strip, float* y, int32_t* argmax) {
  const auto [begin, end] = strip;
  for (int64_t j = begin; j < end; ++j) y[j] = rows.empty() ? 0.0f : -INFINITY;
  for (int64_t j = begin; argmax && j < end; ++j)
    argmax[j] = rows.empty() ? -1 : int32_t(rows.begin);
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const float* x = op.x.f32() + row * op.x.cols;
    for (int64_t j = begin; argmax && j < end; ++j)
      argmax[j] = leads(x[j], y[j]) ? int32_t(row) : argmax[j];
    for (int64_t j = begin; j < end; ++j) y[j] = leads(x[j], y[j]) ? x[j] : y[j];
  }
}

void unpool_sum(const PoolBackward& op, Rows rows, Columns strip, const float* dy) {
  const float share = share_of(op.kind, rows);
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const float factor = share * weight_of(op.kind, rows, row - rows.begin);
    float* dx = op.dx.f32() + row * op.dx.cols;
    for (int64_t j = strip.begin; j < strip.end; ++j) dx[j] += dy[j] * factor;
  }
}

void unpool_most(const PoolBackward& op, int64_t text, Columns strip, const float* dy) {
  const int32_t* argmax = op.argmax.i32() + text * op.dx.cols;
  for (int64_t j = strip.begin; j < strip.end; ++j) {
    if (argmax[j] >= 0) op.dx.f32()[argmax[j] * op.dx.cols + j] += dy[j];
  }
}

void clear(const PoolBackward& op, int64_t text, Columns strip) {
  const int32_t* offsets = op.offsets.i32();
  for (int64_t row = offsets[text]; row < offsets[text + 1]; ++row) {
    float* dx = op.dx.f32() + row * op.dx.cols;
    std::fill(dx + strip.begin, dx + strip.end, 0.0f);
  }
}

// body(text, strip) for every strip of columns of every text.
template <class F>
void over_strips(const Stream& stream, int64_t texts, int64_t columns, F body) {
  const int64_t strips = (columns + kStripColumns - 1) / kStripColumns;
  stream.parallel_for(texts * strips, [&](int64_t item, int) {
    const int64_t begin = item % strips * kStripColumns;
    body(item / strips, Columns{begin, std::min(columns, begin + kStripColumns)});
  });
}

}  // namespace

template <>
void run<PoolForward>(const Stream& stream, const PoolForward& op) {
  over_strips(stream, op.y.rows, op.x.cols, [&](int64_t text, Columns strip) {
    const Rows rows = rows_of(op.kind, op.offsets, op.skip, text);
    float* y = op.y.f32() + text * op.y.cols + op.at;
    if (op.kind != Pooling::Max) return pool_sum(op, rows, strip, y);
    int32_t* argmax = op.argmax.empty() ? nullptr : op.argmax.i32() + text * op.x.cols;
    pool_most(op, rows, strip, y, argmax);
  });
}

template <>
void run<PoolBackward>(const Stream& stream, const PoolBackward& op) {
  over_strips(stream, op.dy.rows, op.dx.cols, [&](int64_t text, Columns strip) {
    const float* dy = op.dy.f32() + text * op.dy.cols + op.at;
    if (!op.add) clear(op, text, strip);
    if (op.kind == Pooling::Max) return unpool_most(op, text, strip, dy);
    unpool_sum(op, rows_of(op.kind, op.offsets, op.skip, text), strip, dy);
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
