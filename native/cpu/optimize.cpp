// Updates of parameters. Contract: ops/optimize.h. Limited by memory: four streams in, three out.
#include "../ops/optimize.h"

#include <algorithm>
#include <cmath>

#include "../ops/run.h"
#include "kernels.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kChunk = 65536;  // a multiple of 4096, which SumSquares counts in
constexpr int64_t kStrip = 64;     // columns whose squares an item adds,
constexpr int64_t kGroup = 8192;   // and of how many rows
constexpr double kLeastSquare = 1e-30;

// What a step of Adafactor multiplies the gradient by, row and column; `sums` are of the rows.
struct Factors {
  const Adafactor& op;
  double *row, *sums, *column;

  double beta() const { return 1.0 - std::pow(double(op.step), -0.8); }
  double square_scale() const { return op.gradient_scale * op.gradient_scale; }
};

// visit(row) for each row, several of them in an item.
template <class F>
void for_rows(const Stream& stream, const Tensor& x, const F& visit) {
  const int64_t group = std::max<int64_t>(1, kChunk / std::max<int64_t>(x.cols, 1));
  stream.parallel_for((x.rows + group - 1) / group, [&](int64_t item, int) {
    const int64_t end = std::min(x.rows, (item + 1) * group);
    for (int64_t row = item * group; row < end; ++row) visit(row);
  });
}

// c of the contract, and 1 / sqrt(c); rows count 1 as yet. Tall matrices are cut into groups of
// rows whose sums are added in order.
void update_columns(const Stream& stream, const Factors& factors) {
  const Adafactor& op = factors.op;
  const int64_t rows = op.weight.rows, columns = op.weight.cols;
  const int64_t groups = (rows + kGroup - 1) / kGroup, strips = (columns + kStrip - 1) / kStrip;
  Scope scope(stream.scratch());
  const Tensor sums = stream.scratch().tensor(std::max<int64_t>(groups, 1), columns, Type::F64);
  stream.parallel_for(groups * strips, [&](int64_t item, int) {
    const int64_t group = item / strips, first = item % strips * kStrip;
    const int64_t count = std::min(kStrip, columns - first);
    double* sum = sums.as<double>() + group * columns + first;
    std::fill(sum, sum + count, 0.0);
    for (int64_t row = group * kGroup; row < std::min(rows, (group + 1) * kGroup); ++row) {
      const float* g = op.gradient.f32() + row * columns + first;
      for (int64_t j = 0; j < count; ++j) sum[j] += double(g[j]) * g[j];
    }
  });
  const double beta = factors.beta();
  float* squares = op.column_squares.f32();
  for (int64_t j = 0; j < columns; ++j) {
    double sum = 0;
    for (int64_t group = 0; group < groups; ++group) sum += sums.as<double>()[group * columns + j];
    const double mean = sum * factors.square_scale() / double(rows) + kLeastSquare;
    squares[j] = float(beta * squares[j] + (1 - beta) * mean);
    factors.column[j] = 1 / std::sqrt(double(squares[j]));
  }
  std::fill(factors.row, factors.row + rows, 1.0);
}

// r of the contract, and 1 / sqrt(r / mean(r)).
void update_rows(const Stream& stream, const Factors& factors) {
  const Adafactor& op = factors.op;
  const int64_t rows = op.weight.rows, columns = op.weight.cols;
  const double beta = factors.beta();
  float* squares = op.row_squares.f32();
  for_rows(stream, op.weight, [&](int64_t row) {
    const double sum = kernels().sum_squares(op.gradient.f32() + row * columns, columns);
    const double mean = sum * factors.square_scale() / double(columns) + kLeastSquare;
    squares[row] = float(beta * squares[row] + (1 - beta) * mean);
  });
  double mean = 0;
  for (int64_t row = 0; row < rows; ++row) mean += squares[row];
  mean /= double(rows);
  for (int64_t row = 0; row < rows; ++row) factors.row[row] = 1 / std::sqrt(squares[row] / mean);
}

// Of the gradient times its factors.
double root_mean_square(const Stream& stream, const Factors& factors) {
  const Adafactor& op = factors.op;
  const int64_t rows = op.weight.rows, columns = op.weight.cols;
  for_rows(stream, op.weight, [&](int64_t row) {
    const float* g = op.gradient.f32() + row * columns;
    double sum = 0;
    for (int64_t j = 0; j < columns; ++j) {
      const double u = g[j] * factors.column[j];
      sum += u * u;
    }
    const double scale = op.gradient_scale * factors.row[row];
    factors.sums[row] = sum * scale * scale;
  });
  double sum = 0;
  for (int64_t row = 0; row < rows; ++row) sum += factors.sums[row];
  return std::sqrt(sum / double(std::max<int64_t>(rows * columns, 1)));
}

}  // namespace

template <>
void run<AdamW>(const Stream& stream, const AdamW& op) {
  const int64_t size = op.weight.size();
  const AdamRates rates = adam_rates_of(op, op.coupled);
  stream.parallel_for((size + kChunk - 1) / kChunk, [&](int64_t item, int) {
    const int64_t at = item * kChunk;
    AdamStep part{rates};
    part.weight = op.weight.f32() + at;
    part.gradient = op.gradient.f32() + at;
    part.first = op.first.f32() + at;
    part.second = op.second.f32() + at;
    part.size = std::min(kChunk, size - at);
    kernels().adamw(part);
  });
}

template <>
void run<Lion>(const Stream& stream, const Lion& op) {
  const int64_t size = op.weight.size();
  const LionRates rates = lion_rates_of(op);
  stream.parallel_for((size + kChunk - 1) / kChunk, [&](int64_t item, int) {
    const int64_t at = item * kChunk;
    LionStep part{rates};
    part.weight = op.weight.f32() + at;
    part.gradient = op.gradient.f32() + at;
    part.first = op.first.f32() + at;
    part.size = std::min(kChunk, size - at);
    kernels().lion(part);
  });
}

template <>
void run<Adafactor>(const Stream& stream, const Adafactor& op) {
  const int64_t rows = op.weight.rows, columns = op.weight.cols;
  Scope scope(stream.scratch());
  const auto doubles = [&](int64_t count) {
    return stream.scratch().tensor(1, std::max<int64_t>(count, 1), Type::F64).as<double>();
  };
  Factors factors{op, doubles(rows), doubles(rows), doubles(columns)};
  update_columns(stream, factors);
  if (!op.row_squares.empty()) update_rows(stream, factors);
  const double most = std::max(1.0, root_mean_square(stream, factors));
  const float keep = float(1.0 - op.rate * op.decay);
  const double step = op.rate / most;
  for_rows(stream, op.weight, [&](int64_t row) {
    float* w = op.weight.f32() + row * columns;
    const float* g = op.gradient.f32() + row * columns;
    const double along = step * op.gradient_scale * factors.row[row];
    for (int64_t j = 0; j < columns; ++j) {
      w[j] = w[j] * keep - float(along * factors.column[j] * g[j]);
    }
  });
}

template <>
void run<Clip>(const Stream& stream, const Clip& op) {
  const int64_t size = op.x.size();
  const float bound = float(op.bound);
  stream.parallel_for((size + kChunk - 1) / kChunk, [&](int64_t item, int) {
    const int64_t at = item * kChunk;
    float* x = op.x.f32() + at;
    const int64_t count = std::min(kChunk, size - at);
    for (int64_t i = 0; i < count; ++i) {
      x[i] = x[i] > bound ? bound : x[i] < -bound ? -bound : x[i];
    }
  });
}

template <>
void run<SumSquares>(const Stream& stream, const SumSquares& op) {
  const int64_t size = op.x.size(), chunks = (size + kChunk - 1) / kChunk;
  Scope scope(stream.scratch());
  double* sums = stream.scratch().tensor(1, std::max<int64_t>(chunks, 1), Type::F64).as<double>();
  stream.parallel_for(chunks, [&](int64_t item, int) {
    const int64_t at = item * kChunk;
    sums[item] = kernels().sum_squares(op.x.f32() + at, std::min(kChunk, size - at));
  });
  for (int64_t i = 0; i < chunks; ++i) *op.result.as<double>() += sums[i];
}

}  // namespace inbatch::cpu
