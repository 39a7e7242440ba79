// Pooling and unit length. Contract: ops/pool.h. An item is a strip of one text, or one row.
#include "../ops/pool.h"

#include <algorithm>
#include <cmath>

#include "../ops/run.h"
#include "kernels.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kStripColumns = 512;  // a text of 32768 rows takes some 3 ms
constexpr int64_t kGemColumns = 8;      // the same for two exponentials and a logarithm a number

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

int64_t strips_of(int64_t columns, int64_t width) { return (columns + width - 1) / width; }

// body(text, strip) for every strip of columns of every text.
template <class F>
void over_strips(const Stream& stream, int64_t texts, int64_t columns, int64_t width, F body) {
  const int64_t strips = strips_of(columns, width);
  stream.parallel_for(texts * strips, [&](int64_t item, int) {
    const int64_t begin = item % strips * width;
    body(item / strips, Columns{begin, std::min(columns, begin + width)});
  });
}

constexpr double kLeastOfGem = 1e-6;  // what the generalised mean raises everything below to

struct GemColumn {
  double log_mean = 0, slope = 0;  // ln m and (1 / m) dm/dp, m the mean of the powers
};

GemColumn gem_of(const Tensor& x, Rows rows, int64_t column, double power) {
  double sum = 0, weighted = 0;
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const double log = std::log(std::max(double(x.f32()[row * x.cols + column]), kLeastOfGem));
    const double value = std::exp(power * log);
    sum += value;
    weighted += value * log;
  }
  return {std::log(sum / double(rows.count())), weighted / sum};
}

void pool_gem(const PoolForward& op, Rows rows, Columns strip, float* y) {
  const double power = op.power.f32()[0];
  for (int64_t j = strip.begin; j < strip.end; ++j) {
    y[j] = rows.empty() ? 0.0f : float(std::exp(gem_of(op.x, rows, j, power).log_mean / power));
  }
}

// Adds to dx; returns what the columns of the strip give to the gradient of p.
double unpool_gem(const PoolBackward& op, Rows rows, Columns strip, const float* dy) {
  const double power = op.power.f32()[0];
  double dpower = 0;
  if (rows.empty()) return 0;
  for (int64_t j = strip.begin; j < strip.end; ++j) {
    const GemColumn column = gem_of(op.x, rows, j, power);
    const double log_y = column.log_mean / power;
    dpower += dy[j] * std::exp(log_y) * (column.slope - log_y) / power;
    const double share = double(dy[j]) / double(rows.count());
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const int64_t at = row * op.x.cols + j;
      const double x = op.x.f32()[at];
      if (x <= kLeastOfGem) continue;
      op.dx.f32()[at] += float(share * std::exp((power - 1) * (std::log(x) - log_y)));
    }
  }
  return dpower;
}

// The parts of the gradient of p are added up text by text, strip by strip.
void unpool_gem_all(const Stream& stream, const PoolBackward& op) {
  Scope scope(stream.scratch());
  const int64_t texts = op.dy.rows, strips = strips_of(op.dx.cols, kGemColumns);
  const Tensor parts = stream.scratch().tensor(texts, strips, Type::F64);
  double* part = static_cast<double*>(parts.data);
  over_strips(stream, texts, op.dx.cols, kGemColumns, [&](int64_t text, Columns strip) {
    if (stream.is_cancelled()) throw Cancelled();
    const float* dy = op.dy.f32() + text * op.dy.cols + op.at;
    if (!op.add) clear(op, text, strip);
    const Rows rows = rows_of(op.kind, op.offsets, op.skip, text);
    part[text * strips + strip.begin / kGemColumns] = unpool_gem(op, rows, strip, dy);
  });
  if (op.dpower.empty()) return;
  for (int64_t text = 0; text < texts; ++text) {
    double sum = 0;
    for (int64_t strip = 0; strip < strips; ++strip) sum += part[text * strips + strip];
    op.dpower.f32()[0] += float(sum);
  }
}

float share_of_layer(const Tensor& weights, int64_t layer) {
  double sum = 0;
  for (int64_t i = 0; i < weights.size(); ++i) sum += weights.f32()[i];
  return float(weights.f32()[layer] / sum);
}

}  // namespace

template <>
void run<PoolForward>(const Stream& stream, const PoolForward& op) {
  const int64_t width = op.kind == Pooling::Gem ? kGemColumns : kStripColumns;
  over_strips(stream, op.y.rows, op.x.cols, width, [&](int64_t text, Columns strip) {
    const Rows rows = rows_of(op.kind, op.offsets, op.skip, text);
    float* y = op.y.f32() + text * op.y.cols + op.at;
    if (op.kind == Pooling::Gem) return pool_gem(op, rows, strip, y);
    if (op.kind != Pooling::Max) return pool_sum(op, rows, strip, y);
    int32_t* argmax = op.argmax.empty() ? nullptr : op.argmax.i32() + text * op.x.cols;
    pool_most(op, rows, strip, y, argmax);
  });
}

template <>
void run<PoolBackward>(const Stream& stream, const PoolBackward& op) {
  if (op.kind == Pooling::Gem) return unpool_gem_all(stream, op);
  over_strips(stream, op.dy.rows, op.dx.cols, kStripColumns, [&](int64_t text, Columns strip) {
    const float* dy = op.dy.f32() + text * op.dy.cols + op.at;
    if (!op.add) clear(op, text, strip);
    if (op.kind == Pooling::Max) return unpool_most(op, text, strip, dy);
    unpool_sum(op, rows_of(op.kind, op.offsets, op.skip, text), strip, dy);
  });
}

template <>
void run<LayerMeanForward>(const Stream& stream, const LayerMeanForward& op) {
  const int64_t columns = op.x.cols;
  const float share = share_of_layer(op.weights, op.layer);
  stream.parallel_for(op.x.rows, [&](int64_t row, int) {
    const float* x = op.x.f32() + row * columns;
    float* y = op.y.f32() + row * columns;
    for (int64_t j = 0; j < columns; ++j) y[j] = (op.add ? y[j] : 0.0f) + x[j] * share;
  });
}

template <>
void run<LayerMeanBackward>(const Stream& stream, const LayerMeanBackward& op) {
  const int64_t columns = op.x.cols;
  const float share = share_of_layer(op.weights, op.layer);
  stream.parallel_for(op.x.rows, [&](int64_t row, int) {
    const float *x = op.x.f32() + row * columns, *dy = op.dy.f32() + row * columns;
    op.dots.f32()[row * op.dots.cols + op.layer] = kernels().dot(dy, x, columns);
    float* dx = op.dx.f32() + row * columns;
    for (int64_t j = 0; j < columns; ++j) dx[j] = (op.add ? dx[j] : 0.0f) + dy[j] * share;
  });
}

template <>
void run<LayerMeanWeights>(const Stream&, const LayerMeanWeights& op) {
  const int64_t layers = op.weights.size();
  double whole = 0;
  for (int64_t i = 0; i < layers; ++i) whole += op.weights.f32()[i];
  for (int64_t row = 0; row < op.dots.rows; ++row) {
    const float* dots = op.dots.f32() + row * layers;
    double mean = 0;
    for (int64_t i = 0; i < layers; ++i) mean += op.weights.f32()[i] * dots[i] / whole;
    for (int64_t i = 0; i < layers; ++i) op.dweights.f32()[i] += float((dots[i] - mean) / whole);
  }
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
