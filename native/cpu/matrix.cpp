// Arithmetic on matrices. Contract: ops/matrix.h.
//
// Plain loops: losses see a few thousand rows, and the large in-batch scores have an op of their
// own. Each function stands beside its slope, and one loop takes either.
#include "../ops/matrix.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "../ops/run.h"
#include "kernels.h"
#include "loops.h"

namespace inbatch::cpu {
namespace {

constexpr float kNothing = -std::numeric_limits<float>::infinity();

float sigmoid(float x) {
  const float e = std::exp(-std::fabs(x));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

// use(f, slope) with the function of that name; comparisons are such that NaN takes the way of x.
template <class F>
void with(Map function, float p, F use) {
  switch (function) {
    case Map::Scale:
      return use([p](float x) { return p * x; }, [p](float) { return p; });
    case Map::Shift:
      return use([p](float x) { return x + p; }, [](float) { return 1.0f; });
    case Map::Clamp:
      return use([p](float x) { return x < p ? p : x; },
                 [p](float x) { return x < p ? 0.0f : 1.0f; });
    case Map::Relu:
      return use([](float x) { return x < 0 ? 0.0f : x; },
                 [](float x) { return x > 0 ? 1.0f : 0.0f; });
    case Map::Exp:
      return use([](float x) { return std::exp(x); }, [](float x) { return std::exp(x); });
    case Map::Log:
      return use([](float x) { return std::log(x); }, [](float x) { return 1 / x; });
    case Map::Sqrt:
      return use([](float x) { return std::sqrt(x); },
                 [](float x) { return x > 0 ? 0.5f / std::sqrt(x) : 0.0f; });
    case Map::Square:
      return use([](float x) { return x * x; }, [](float x) { return 2 * x; });
    case Map::Abs:
      return use([](float x) { return std::fabs(x); },
                 [](float x) { return x > 0   ? 1.0f
                                      : x < 0 ? -1.0f
                                              : 0.0f; });
    case Map::Tanh:
      return use([](float x) { return std::tanh(x); },
                 [](float x) { return 1 - std::tanh(x) * std::tanh(x); });
    case Map::Sigmoid:
      return use(sigmoid, [](float x) { return sigmoid(x) * sigmoid(-x); });
    case Map::Softplus:
      return use([](float x) { return (x < 0 ? 0.0f : x) + std::log1p(std::exp(-std::fabs(x))); },
                 sigmoid);
  }
}

float log_add_exp(float a, float b) {
  if (a == b) return a + std::log(2.0f);  // also two equal infinities
  const float high = a > b ? a : b, low = a > b ? b : a;
  return high + std::log1p(std::exp(low - high));
}

// What a has in the log of e^a + e^b.
float share(float a, float b) { return a == kNothing ? 0.0f : sigmoid(a - b); }

// use(f, df/da, df/db) with the function of that name.
template <class F>
void with(Combine function, F use) {
  const auto one = [](float, float) { return 1.0f; };
  switch (function) {
    case Combine::Add:
      return use([](float a, float b) { return a + b; }, one, one);
    case Combine::Subtract:
      return use([](float a, float b) { return a - b; }, one, [](float, float) { return -1.0f; });
    case Combine::Multiply:
      return use([](float a, float b) { return a * b; }, [](float, float b) { return b; },
                 [](float a, float) { return a; });
    case Combine::Divide:
      return use([](float a, float b) { return a / b; }, [](float, float b) { return 1 / b; },
                 [](float a, float b) { return -a / (b * b); });
    case Combine::LogAddExp:
      return use(log_add_exp, share, [](float a, float b) { return share(b, a); });
  }
}

// A matrix seen as if it had all rows and columns.
struct Spreading {
  const float* data;
  int64_t row, column;  // strides, 0 where one stands for all
  explicit Spreading(const Tensor& x)
      : data(x.f32()), row(x.rows == 1 ? 0 : x.cols), column(x.cols == 1 ? 0 : 1) {}
  const float* at(int64_t r) const { return data + r * row; }
};

template <class F>
void combine(const Stream& stream, const CombineForward& op, F f) {
  const Spreading left(op.a), right(op.b);
  over_rows(stream, op.y.rows, op.y.cols, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float *a = left.at(row), *b = right.at(row);
      float* y = op.y.f32() + row * op.y.cols;
      for (int64_t j = 0; j < op.y.cols; ++j) y[j] = f(a[j * left.column], b[j * right.column]);
    }
  });
}

// out = dy * slope(a, b)
template <class F>
void pull(const Stream& stream, const CombineBackward& op, const Tensor& out, F slope) {
  if (out.empty()) return;
  const Spreading left(op.a), right(op.b);
  over_rows(stream, out.rows, out.cols, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float *a = left.at(row), *b = right.at(row), *dy = op.dy.f32() + row * out.cols;
      float* to = out.f32() + row * out.cols;
      for (int64_t j = 0; j < out.cols; ++j) {
        to[j] = dy[j] * slope(a[j * left.column], b[j * right.column]);
      }
    }
  });
}

// The sum of at most kItemSize floats in 8 chains, which vectors can hold.
double sum_of_item(const float* x, int64_t size) {
  double chains[8] = {};
  for (int64_t i = 0; i < size; i += 8) {
    const int64_t n = std::min<int64_t>(8, size - i);
    for (int64_t chain = 0; chain < n; ++chain) chains[chain] += double(x[i + chain]);
  }
  double sum = 0;
  for (const double chain : chains) sum += chain;
  return sum;
}

double sum_of(const float* x, int64_t size) {
  double sum = 0;
  for (int64_t i = 0; i < size; i += kItemSize) {
    sum += sum_of_item(x + i, std::min(kItemSize, size - i));
  }
  return sum;
}

// sum_of, its items in parallel.
void sum_all(const Stream& stream, const Reduce& op) {
  Scope scope(stream.scratch());
  const int64_t size = op.x.size(), items = (size + kItemSize - 1) / kItemSize;
  double* sums = stream.scratch().tensor(1, items, Type::F64).as<double>();
  stream.parallel_for(items, [&](int64_t item, int) {
    const int64_t at = item * kItemSize;
    sums[item] = sum_of_item(op.x.f32() + at, std::min(kItemSize, size - at));
  });
  double sum = 0;
  for (int64_t item = 0; item < items; ++item) sum += sums[item];
  *op.y.f32() = float(sum * double(op.scale));
}

void sum_rows(const Stream& stream, const Reduce& op) {
  over_rows(stream, op.x.rows, op.x.cols, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const double sum = sum_of(op.x.f32() + row * op.x.cols, op.x.cols);
      op.y.f32()[row] = float(sum * double(op.scale));
    }
  });
}

void sum_columns(const Stream& stream, const Reduce& op) {
  over_columns(stream, op.x.cols, [&](int64_t begin, int64_t end) {
    double sums[kStrip] = {};
    for (int64_t row = 0; row < op.x.rows; ++row) {
      const float* x = op.x.f32() + row * op.x.cols;
      for (int64_t j = begin; j < end; ++j) sums[j - begin] += double(x[j]);
    }
    for (int64_t j = begin; j < end; ++j) {
      op.y.f32()[j] = float(sums[j - begin] * double(op.scale));
    }
  });
}

// exp_row keeps neither NaN nor zero, so elements that are not finite are looked for here.
float log_sum_exp(const float* x, int64_t columns, float* powers) {
  float most = kNothing;
  for (int64_t j = 0; j < columns; ++j) {
    if (x[j] != x[j]) return x[j];
    most = std::max(most, x[j]);
  }
  if (std::isinf(most)) return most;
  kernels().exp_row(x, most, powers, columns);
  return most + std::log(float(sum_of(powers, columns)));
}

// dx = dy e^(x - lse), zero where that power is too small for a float.
void softmax_row(const float* x, float lse, float dy, float* dx, int64_t columns) {
  kernels().exp_row(x, lse, dx, columns);
  for (int64_t j = 0; j < columns; ++j) dx[j] = x[j] - lse > -87.0f ? dx[j] * dy : 0.0f;
}

}  // namespace

template <>
void run<MapForward>(const Stream& stream, const MapForward& op) {
  const float* x = op.x.f32();
  float* y = op.y.f32();
  with(op.function, op.parameter, [&](auto f, auto) {
    over_elements(stream, op.x.size(), [&](int64_t i) { y[i] = f(x[i]); });
  });
}

template <>
void run<MapBackward>(const Stream& stream, const MapBackward& op) {
  const float *x = op.x.f32(), *dy = op.dy.f32();
  float* dx = op.dx.f32();
  with(op.function, op.parameter, [&](auto, auto slope) {
    over_elements(stream, op.x.size(), [&](int64_t i) { dx[i] = dy[i] * slope(x[i]); });
  });
}

template <>
void run<CombineForward>(const Stream& stream, const CombineForward& op) {
  with(op.function, [&](auto f, auto, auto) { combine(stream, op, f); });
}

template <>
void run<CombineBackward>(const Stream& stream, const CombineBackward& op) {
  with(op.function, [&](auto, auto by_a, auto by_b) {
    pull(stream, op, op.da, by_a);
    pull(stream, op, op.db, by_b);
  });
}

template <>
void run<Reduce>(const Stream& stream, const Reduce& op) {
  if (op.y.size() == 1) return sum_all(stream, op);
  if (op.y.rows == op.x.rows && op.y.cols == 1) return sum_rows(stream, op);
  if (op.y.rows == 1) return sum_columns(stream, op);
  over_elements(stream, op.x.size(), [&](int64_t i) { op.y.f32()[i] = op.scale * op.x.f32()[i]; });
}

template <>
void run<Spread>(const Stream& stream, const Spread& op) {
  const Spreading from(op.x);
  over_rows(stream, op.y.rows, op.y.cols, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* x = from.at(row);
      float* y = op.y.f32() + row * op.y.cols;
      for (int64_t j = 0; j < op.y.cols; ++j) y[j] = op.scale * x[j * from.column];
    }
  });
}

template <>
void run<RowDots>(const Stream& stream, const RowDots& op) {
  const int64_t columns = op.a.cols;
  over_rows(stream, op.a.rows, columns, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      op.y.f32()[row] =
          kernels().dot(op.a.f32() + row * columns, op.b.f32() + row * columns, columns);
    }
  });
}

template <>
void run<LogSumExpForward>(const Stream& stream, const LogSumExpForward& op) {
  const int64_t columns = op.x.cols;
  stream.parallel_for(op.x.rows, [&](int64_t row, int worker) {
    float* powers = stream.scratch(worker).tensor(1, columns).f32();
    op.y.f32()[row] = log_sum_exp(op.x.f32() + row * columns, columns, powers);
  });
}

template <>
void run<LogSumExpBackward>(const Stream& stream, const LogSumExpBackward& op) {
  const int64_t columns = op.x.cols;
  over_rows(stream, op.x.rows, columns, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      softmax_row(op.x.f32() + row * columns, op.y.f32()[row], op.dy.f32()[row],
                  op.dx.f32() + row * columns, columns);
    }
  });
}

}  // namespace inbatch::cpu
