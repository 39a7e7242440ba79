// Updates of parameters. Contract: ops/optimize.h. Limited by memory.
//
// AdamW, Lion and Clip are work on single elements: a thread has four of them, which it reads all
// before it writes the first, since the compiler cannot know that no stream overlaps another.
// Adafactor reads the gradient four times: for the columns, for the rows, for the size of the step
// and for the step.
#include "../ops/optimize.h"

#include <cmath>

#include "adam.cuh"
#include "elements.cuh"
#include "sums.cuh"

namespace inbatch::cuda {
namespace {

constexpr double kLeastSquare = 1e-30;

struct AdamBody {
  using Element = Adam;
  AdamRates rates;
  float* weight;
  const float* gradient;
  float *first, *second;
  bf16* rounded;  // or null
  DEVICE Adam read(int64_t i) const { return {weight[i], gradient[i], first[i], second[i]}; }
  DEVICE void write(int64_t i, Adam element) const {
    element.step(rates);
    first[i] = element.first;
    second[i] = element.second;
    weight[i] = element.weight;
    if (rounded) rounded[i] = bf16(element.weight);
  }
};

struct LionElement {
  float weight, gradient, first;
};

struct LionBody {
  using Element = LionElement;
  LionRates rates;
  float* weight;
  const float* gradient;
  float* first;
  bf16* rounded;  // or null
  DEVICE LionElement read(int64_t i) const { return {weight[i], gradient[i], first[i]}; }
  DEVICE void write(int64_t i, const LionElement& e) const {
    const LionRates& p = rates;
    const float g = e.gradient * p.gradient_scale;
    const float c = fmaf(p.beta1, e.first, p.rest1 * g);
    const float sign = c > 0.0f ? 1.0f : c < 0.0f ? -1.0f : c;  // what is no number stays so
    first[i] = fmaf(p.beta2, e.first, p.rest2 * g);
    const float moved = fmaf(-p.rate, sign, e.weight * p.keep);
    weight[i] = moved;
    if (rounded) rounded[i] = bf16(moved);
  }
};

struct ClipBody {
  using Element = float;
  float bound;
  float* x;
  DEVICE float read(int64_t i) const { return x[i]; }
  DEVICE void write(int64_t i, float e) const {
    x[i] = e > bound ? bound : e < -bound ? -bound : e;
  }
};

// Grid (size / 1024), 256 threads: a thread has four elements, a block of threads apart.
template <class Body>
__global__ void __launch_bounds__(kElementThreads) update_elements(Body body, int64_t size) {
  const int64_t first = int64_t(blockIdx.x) * kElementThreads * kElementsEach + threadIdx.x;
  typename Body::Element elements[kElementsEach];
#pragma unroll
  for (int step = 0; step < kElementsEach; ++step) {
    const int64_t i = first + step * kElementThreads;
    if (i < size) elements[step] = body.read(i);
  }
#pragma unroll
  for (int step = 0; step < kElementsEach; ++step) {
    const int64_t i = first + step * kElementThreads;
    if (i < size) body.write(i, elements[step]);
  }
}

template <class Body>
void update(const Stream& stream, int64_t size, const Body& body) {
  const unsigned blocks = blocks_of(size, int64_t(kElementThreads) * kElementsEach);
  launch(stream, {dim3(blocks), dim3(kElementThreads)}, update_elements<Body>, body, size);
}

// A mean of squares joins those before; `factor`, where there is one, is 1 over its root.
struct JoinSquares {
  double beta, scale;  // scale: of a sum of squares to their mean
  float* squares;
  double* factor;
  DEVICE void operator()(int64_t i, double sum) const {
    squares[i] = float(beta * double(squares[i]) + (1 - beta) * (sum * scale + kLeastSquare));
    if (factor) factor[i] = 1 / sqrt(double(squares[i]));
  }
};

// What a step of Adafactor multiplies the gradient by, row and column.
struct Factors {
  const float* row_squares;  // null: nothing is factored
  const double *row_mean, *column;
  DEVICE double of_row(int64_t row) const {
    return row_squares ? 1 / sqrt(double(row_squares[row]) / *row_mean) : 1.0;
  }
};

struct SquaredStep {
  const double* column;
  DEVICE double operator()(float x, int64_t j) const {
    const double step = double(x) * column[j];
    return step * step;
  }
};

struct ScaleRow {
  Factors factors;
  double gradient_scale;
  double* sums;
  DEVICE void operator()(int64_t row, double sum) const {
    const double scale = gradient_scale * factors.of_row(row);
    sums[row] = sum * scale * scale;
  }
};

struct StoreMean {
  double* mean;
  double count;
  DEVICE void operator()(int64_t, double sum) const { *mean = sum / count; }
};

struct AdafactorStep {
  Factors factors;
  const double* mean_square;  // of the whole step
  double rate, gradient_scale;
  float keep;
};

// Grid (rows / 8), 256 threads: a warp has a row.
__global__ void __launch_bounds__(kRowThreads)
    adafactor_step(AdafactorStep step, float* weight, const float* gradient, int64_t rows,
                   int64_t columns) {
  const int64_t row = row_of_warp();
  if (row >= rows) return;
  const double length = sqrt(*step.mean_square);
  const double most = length > 1 ? length : 1;
  const double along = step.rate / most * step.gradient_scale * step.factors.of_row(row);
  for (int64_t j = lane_of_row(); j < columns; j += 32) {
    const int64_t i = row * columns + j;
    const double moved = along * step.factors.column[j] * double(gradient[i]);
    weight[i] = weight[i] * step.keep - float(moved);
  }
}

}  // namespace

template <>
void run<AdamW>(const Stream& stream, const AdamW& op) {
  update(stream, op.weight.size(),
         AdamBody{adam_rates_of(op, op.coupled), op.weight.f32(), op.gradient.f32(), op.first.f32(),
                  op.second.f32(), op.rounded.as<bf16>()});
}

template <>
void run<Lion>(const Stream& stream, const Lion& op) {
  update(stream, op.weight.size(),
         LionBody{lion_rates_of(op), op.weight.f32(), op.gradient.f32(), op.first.f32(),
                  op.rounded.as<bf16>()});
}

template <>
void run<Adafactor>(const Stream& stream, const Adafactor& op) {
  const int64_t rows = op.weight.rows, columns = op.weight.cols;
  if (op.weight.size() == 0) return;
  Scope scope(stream.scratch());
  const auto doubles = [&](int64_t count) {
    return stream.scratch().tensor(1, count, Type::F64).as<double>();
  };
  double *means = doubles(2), *column = doubles(columns), *sums = doubles(rows);
  const double beta = 1.0 - std::pow(double(op.step), -0.8);
  const double square = op.gradient_scale * op.gradient_scale;
  sum_columns(stream, op.gradient, Squared{},
              JoinSquares{beta, square / double(rows), op.column_squares.f32(), column});
  if (!op.row_squares.empty()) {
    sum_rows(stream, op.gradient, Squared{},
             JoinSquares{beta, square / double(columns), op.row_squares.f32(), nullptr});
    sum_all(stream, op.row_squares, Itself{}, StoreMean{means, double(rows)});
  }
  const Factors factors{op.row_squares.f32(), means, column};
  sum_rows(stream, op.gradient, SquaredStep{column}, ScaleRow{factors, op.gradient_scale, sums});
  sum_numbers(stream, sums, 1, rows, StoreMean{means + 1, double(rows * columns)});
  const AdafactorStep step{factors, means + 1, op.rate, op.gradient_scale,
                           float(1.0 - op.rate * op.decay)};
  launch(stream, rows_extent(rows), adafactor_step, step, op.weight.f32(), op.gradient.f32(), rows,
         columns);
}

template <>
void run<Clip>(const Stream& stream, const Clip& op) {
  update(stream, op.x.size(), ClipBody{float(op.bound), op.x.f32()});
}

template <>
void run<SumSquares>(const Stream& stream, const SumSquares& op) {
  sum_all(stream, op.x, Squared{}, AddTo{op.result.as<double>()});
}

}  // namespace inbatch::cuda
