// Pooling, means of layers, rows of unit length. Contract: ops/pool.h.
//
// Pooling: grid (N, C / 64), 64 threads: a block has a text and 64 columns, a thread one column,
// whose rows it walks in order. Each x is read once and each y written once. Memory limits it where
// N C / 64 blocks fill the card; else the chain of reads of the longest text does.
//
// Backward has the same blocks and writes every row of the text (unpool_texts). Gem is in f64:
// forward reads x once for a log and an exp of each element, backward (unpool_gem) twice, for two
// of each; these limit it. Means of layers and unit lengths have a warp for each row, a lane for
// every 32nd column: add_layer and dot_rows read x once, dot_rows dy too, and memory limits both.
#include "../ops/pool.h"

#include "columns.cuh"
#include "elements.cuh"
#include "rows.cuh"
#include "types.cuh"

namespace inbatch::cuda {
namespace {

constexpr int kPoolThreads = 64;
constexpr double kLeastOfGem = 1e-6;  // what the generalised mean raises everything below to

// The texts and which of their rows a pooling sees.
struct Texts {
  Pooling kind;
  const int32_t *offsets, *skip;
};

struct Seen {
  int64_t begin, end;
  int64_t place;  // of the first in its text, from 1
  DEVICE bool empty() const { return begin >= end; }
  DEVICE double count() const { return double(end - begin); }
};

DEVICE Seen seen_of(const Texts& texts, int64_t text) {
  const int64_t first = texts.offsets[text], end = texts.offsets[text + 1];
  const int64_t left = first + (texts.skip ? texts.skip[text] : 0);
  Seen seen{left < end ? left : end, end, 1};
  seen.place = seen.begin - first + 1;
  if (seen.empty()) return seen;
  if (texts.kind == Pooling::Cls) seen.end = seen.begin + 1;
  if (texts.kind == Pooling::Last) seen.begin = end - 1;
  return seen;
}

// Of the row that is `index` further than the first, before the sum is divided.
DEVICE float weight_of(Pooling kind, const Seen& seen, int64_t index) {
  return kind == Pooling::WeightedMean ? float(seen.place + index) : 1.0f;
}

// What multiplies the weighted sum.
DEVICE float share_of(Pooling kind, const Seen& seen) {
  if (seen.empty()) return 0.0f;
  const double count = seen.count();
  if (kind == Pooling::MeanSqrtLen) return float(1.0 / sqrt(count));
  if (kind != Pooling::WeightedMean) return float(1.0 / count);
  return float(1.0 / (count * (double(seen.place) + (count - 1.0) / 2.0)));
}

// A matrix and where the columns of a pooling begin in its rows.
template <class T>
struct Window {
  T* data;
  int64_t pitch;
  DEVICE T& at(int64_t row, int64_t column) const { return data[row * pitch + column]; }
};

template <class T>
struct PoolOperands {
  Texts texts;
  int64_t columns;
  Window<const T> x;
  Window<float> y;
  int32_t* argmax;
  const float* power;
};

// What is no number comes before all numbers and stays.
DEVICE bool leads(float x, float most) { return !(x <= most) && most == most; }

template <class T>
DEVICE void pool_most(const PoolOperands<T>& op, const Seen& seen, int64_t text, int64_t column) {
  float most = seen.empty() ? 0.0f : -INFINITY;
  int64_t found = seen.empty() ? -1 : seen.begin;
  for (int64_t row = seen.begin; row < seen.end; ++row) {
    const float x = float(op.x.at(row, column));
    if (!leads(x, most)) continue;
    most = x;
    found = row;
  }
  op.y.at(text, column) = most;
  if (op.argmax) op.argmax[text * op.columns + column] = int32_t(found);
}

// ln m and (1 / m) dm/dp, m the mean of the powers of a column.
struct GemColumn {
  double log_mean, slope;
};

template <class T>
DEVICE GemColumn gem_of(const Window<const T>& x, const Seen& seen, int64_t column, double power) {
  double sum = 0, weighted = 0;
  for (int64_t row = seen.begin; row < seen.end; ++row) {
    const double value = double(float(x.at(row, column)));
    const double base = log(value > kLeastOfGem ? value : kLeastOfGem), raised = exp(power * base);
    sum += raised;
    weighted += raised * base;
  }
  return {log(sum / seen.count()), weighted / sum};
}

template <class T>
__global__ void __launch_bounds__(kPoolThreads) pool_texts(PoolOperands<T> op) {
  const int64_t text = blockIdx.x, column = int64_t(blockIdx.y) * kPoolThreads + threadIdx.x;
  if (column >= op.columns) return;
  const Seen seen = seen_of(op.texts, text);
  if (op.texts.kind == Pooling::Max) return pool_most(op, seen, text, column);
  if (op.texts.kind == Pooling::Gem) {
    const double power = double(*op.power);
    const double root =
        seen.empty() ? 0.0 : exp(gem_of(op.x, seen, column, power).log_mean / power);
    op.y.at(text, column) = float(root);
    return;
  }
  float sum = 0.0f;
  for (int64_t row = seen.begin; row < seen.end; ++row) {
    const float weight = weight_of(op.texts.kind, seen, row - seen.begin);
    sum = fmaf(float(op.x.at(row, column)), weight, sum);
  }
  op.y.at(text, column) = sum * share_of(op.texts.kind, seen);
}

template <class T>
struct UnpoolOperands {
  Texts texts;
  int64_t columns;
  bool add;
  Window<const float> dy;
  const int32_t* argmax;
  Window<T> dx;
  Window<const T> x;
  const float* power;
  double* dpower;  // (N, C): the part of each element in the gradient of p; or null
};

// Every row of the text is walked, so that those which the pooling does not see are overwritten
// too.
template <class T>
__global__ void __launch_bounds__(kPoolThreads) unpool_texts(UnpoolOperands<T> op) {
  const int64_t text = blockIdx.x, column = int64_t(blockIdx.y) * kPoolThreads + threadIdx.x;
  if (column >= op.columns) return;
  const Seen seen = seen_of(op.texts, text);
  const float dy = op.dy.at(text, column), share = share_of(op.texts.kind, seen);
  const int64_t found = op.argmax ? op.argmax[text * op.columns + column] : -1;
  for (int64_t row = op.texts.offsets[text]; row < op.texts.offsets[text + 1]; ++row) {
    float slope = 0.0f;
    if (op.texts.kind == Pooling::Max) {
      slope = row == found ? dy : 0.0f;
    } else if (row >= seen.begin && row < seen.end) {
      slope = dy * (share * weight_of(op.texts.kind, seen, row - seen.begin));
    }
    T& dx = op.dx.at(row, column);
    dx = T(op.add ? float(dx) + slope : slope);
  }
}

// The text's rows are walked twice: for the mean of their powers, then for the slope of each.
template <class T>
__global__ void __launch_bounds__(kPoolThreads) unpool_gem(UnpoolOperands<T> op) {
  const int64_t text = blockIdx.x, column = int64_t(blockIdx.y) * kPoolThreads + threadIdx.x;
  if (column >= op.columns) return;
  const Seen seen = seen_of(op.texts, text);
  const double dy = double(op.dy.at(text, column)), power = double(*op.power);
  const GemColumn gem = seen.empty() ? GemColumn{0, 0} : gem_of(op.x, seen, column, power);
  const double log_y = gem.log_mean / power;
  for (int64_t row = op.texts.offsets[text]; row < op.texts.offsets[text + 1]; ++row) {
    const double x = double(float(op.x.at(row, column)));
    const bool bends = row >= seen.begin && row < seen.end && x > kLeastOfGem;
    const double slope = bends ? dy / seen.count() * exp((power - 1) * (log(x) - log_y)) : 0.0;
    T& dx = op.dx.at(row, column);
    dx = T(op.add ? float(dx) + float(slope) : float(slope));
  }
  if (!op.dpower) return;
  const double part = seen.empty() ? 0.0 : dy * exp(log_y) * (gem.slope - log_y) / power;
  op.dpower[text * op.columns + column] = part;
}

// Grid (N / 8), 256 threads: a warp adds the parts of a text.
__global__ void __launch_bounds__(kRowThreads)
    sum_texts(const double* parts, float* sums, int64_t texts, int64_t columns) {
  const int64_t text = row_of_warp();
  if (text >= texts) return;
  double sum = 0;
  for (int64_t column = lane_of_row(); column < columns; column += 32) {
    sum += parts[text * columns + column];
  }
  sum = warp_sum(sum);
  if (lane_of_row() == 0) sums[text] = float(sum);
}

Extent pool_extent(int64_t texts, int64_t columns) {
  return {dim3(blocks_of(texts, 1), blocks_of(columns, kPoolThreads)), dim3(kPoolThreads)};
}

DEVICE float share_of_layer(const float* weights, int layers, int layer) {
  double sum = 0;
  for (int i = 0; i < layers; ++i) sum += double(weights[i]);
  return float(double(weights[layer]) / sum);
}

struct Layer {
  const float* weights;
  int layers, layer;
  bool add;
  int64_t rows, columns;
};

// Grid (T / 8), 256 threads: a warp has a row.
template <class From, class To>
__global__ void __launch_bounds__(kRowThreads) add_layer(Layer op, const From* x, To* y) {
  const int64_t row = row_of_warp();
  if (row >= op.rows) return;
  const float share = share_of_layer(op.weights, op.layers, op.layer);
  for (int64_t column = lane_of_row(); column < op.columns; column += 32) {
    const int64_t at = row * op.columns + column;
    y[at] = To((op.add ? float(y[at]) : 0.0f) + float(x[at]) * share);
  }
}

// Grid (T / 8), 256 threads: a warp has a row, whose x and dy it reads once.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    dot_rows(Layer op, const T* x, const float* dy, float* dots) {
  const int64_t row = row_of_warp();
  if (row >= op.rows) return;
  float dot = 0.0f;
  for (int64_t column = lane_of_row(); column < op.columns; column += 32) {
    const int64_t at = row * op.columns + column;
    dot = fmaf(dy[at], float(x[at]), dot);
  }
  dot = warp_sum(dot);
  if (lane_of_row() == 0) dots[row * op.layers + op.layer] = dot;
}

// What a row gives to the gradient of each weight.
struct LayerPart {
  const float *dots, *weights;
  int layers;
  DEVICE void operator()(int64_t row, int64_t layer, float (&sums)[1]) const {
    double whole = 0, mean = 0;
    for (int i = 0; i < layers; ++i) {
      whole += double(weights[i]);
      mean += double(weights[i]) * double(dots[row * layers + i]);
    }
    sums[0] += float((double(dots[row * layers + layer]) - mean / whole) / whole);
  }
};

// Grid (N / 8), 256 threads: a warp has a row, and reads it twice, the second time from the cache.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    normalize_rows(const T* x, T* y, float* norms, int64_t rows, int64_t columns) {
  const int64_t row = row_of_warp();
  if (row >= rows) return;
  float squares = 0.0f;
  for (int64_t column = lane_of_row(); column < columns; column += 32) {
    const float value = float(x[row * columns + column]);
    squares = fmaf(value, value, squares);
  }
  const float length = sqrtf(warp_sum(squares)), norm = length < 1e-12f ? 1e-12f : length;
  const float scale = 1.0f / norm;
  for (int64_t column = lane_of_row(); column < columns; column += 32) {
    const int64_t at = row * columns + column;
    y[at] = T(float(x[at]) * scale);
  }
  if (lane_of_row() == 0) norms[row] = norm;
}

template <class T>
struct Unit {
  const T* y;
  const float* norm;
  const T* dy;
  T* dx;
  int64_t rows, columns;
};

// dx may be dy: a lane reads a column for the last time before it writes it.
template <class T>
__global__ void __launch_bounds__(kRowThreads) normalize_backward(Unit<T> op) {
  const int64_t row = row_of_warp();
  if (row >= op.rows) return;
  float along = 0.0f;
  for (int64_t column = lane_of_row(); column < op.columns; column += 32) {
    const int64_t at = row * op.columns + column;
    along = fmaf(float(op.dy[at]), float(op.y[at]), along);
  }
  along = warp_sum(along);
  const float scale = 1.0f / op.norm[row];
  for (int64_t column = lane_of_row(); column < op.columns; column += 32) {
    const int64_t at = row * op.columns + column;
    op.dx[at] = T((float(op.dy[at]) - float(op.y[at]) * along) * scale);
  }
}

}  // namespace

template <>
void run<PoolForward>(const Stream& stream, const PoolForward& op) {
  with_type(op.x, [&](const auto* x) {
    using T = std::remove_cv_t<std::remove_pointer_t<decltype(x)>>;
    const PoolOperands<T> operands{{op.kind, op.offsets.i32(), op.skip.i32()},
                                   op.x.cols,
                                   {x, op.x.cols},
                                   {op.y.f32() + op.at, op.y.cols},
                                   op.argmax.i32(),
                                   op.power.f32()};
    launch(stream, pool_extent(op.y.rows, op.x.cols), pool_texts<T>, operands);
  });
}

template <>
void run<PoolBackward>(const Stream& stream, const PoolBackward& op) {
  const Scope scope(stream.scratch());
  double* dpower = nullptr;
  if (op.kind == Pooling::Gem && !op.dpower.empty()) {
    dpower = stream.scratch().tensor(op.dy.rows, op.dx.cols, Type::F64).as<double>();
  }
  with_type(op.dx, [&](auto* dx) {
    using T = std::remove_pointer_t<decltype(dx)>;
    const UnpoolOperands<T> operands{{op.kind, op.offsets.i32(), op.skip.i32()},
                                     op.dx.cols,
                                     op.add,
                                     {op.dy.f32() + op.at, op.dy.cols},
                                     op.argmax.i32(),
                                     {dx, op.dx.cols},
                                     {op.x.as<T>(), op.dx.cols},
                                     op.power.f32(),
                                     dpower};
    const auto kernel = op.kind == Pooling::Gem ? unpool_gem<T> : unpool_texts<T>;
    launch(stream, pool_extent(op.dy.rows, op.dx.cols), kernel, operands);
  });
  if (!dpower) return;
  const Tensor sums = stream.scratch().tensor(op.dy.rows, 1);
  launch(stream, rows_extent(op.dy.rows), sum_texts, static_cast<const double*>(dpower), sums.f32(),
         op.dy.rows, op.dx.cols);
  add_rows(stream, op.dpower.f32(), sums);
}

template <>
void run<LayerMeanForward>(const Stream& stream, const LayerMeanForward& op) {
  const Layer layer{op.weights.f32(), int(op.weights.size()), op.layer, op.add, op.x.rows,
                    op.x.cols};
  with_type(op.x, [&](auto* x) {
    using T = std::remove_pointer_t<decltype(x)>;
    launch(stream, rows_extent(op.x.rows), add_layer<T, float>, layer, x, op.y.f32());
  });
}

template <>
void run<LayerMeanBackward>(const Stream& stream, const LayerMeanBackward& op) {
  const Layer layer{op.weights.f32(), int(op.weights.size()), op.layer, op.add, op.x.rows,
                    op.x.cols};
  const Extent extent = rows_extent(op.x.rows);
  with_type(op.x, [&](auto* x) {
    using T = std::remove_pointer_t<decltype(x)>;
    launch(stream, extent, dot_rows<T>, layer, x, op.dy.f32(), op.dots.f32());
    launch(stream, extent, add_layer<float, T>, layer, op.dy.f32(), op.dx.as<T>());
  });
}

template <>
void run<LayerMeanWeights>(const Stream& stream, const LayerMeanWeights& op) {
  const int64_t layers = op.weights.size();
  const LayerPart part{op.dots.f32(), op.weights.f32(), int(layers)};
  add_columns(stream, Pieces(op.offsets, op.dots.rows), layers, part, {op.dweights.f32()});
}

template <>
void run<NormalizeForward>(const Stream& stream, const NormalizeForward& op) {
  launch(stream, rows_extent(op.x.rows), normalize_rows<float>, op.x.f32(), op.y.f32(),
         op.norm.f32(), op.x.rows, op.x.cols);
}

template <>
void run<NormalizeBackward>(const Stream& stream, const NormalizeBackward& op) {
  const Unit<float> unit{op.y.f32(), op.norm.f32(), op.dy.f32(), op.dx.f32(), op.y.rows, op.y.cols};
  launch(stream, rows_extent(op.y.rows), normalize_backward<float>, unit);
}

}  // namespace inbatch::cuda
