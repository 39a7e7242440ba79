// Arithmetic on matrices. Contract: ops/matrix.h. Limited by memory.
//
// Functions of elements are work on single elements (elements.cuh); sums are those of sums.cuh,
// which read each element once.
#include "../ops/matrix.h"

#include "elements.cuh"
#include "functions.cuh"
#include "sums.cuh"

namespace inbatch::cuda {
namespace {

DEVICE float minus_infinity() { return __uint_as_float(0xff800000u); }

DEVICE float plain_sigmoid(float x) {
  const float e = expf(-fabsf(x));
  return x >= 0.0f ? 1.0f / (1.0f + e) : e / (1.0f + e);
}

// A function and its slope; comparisons are such that what is no number takes the way of x.
DEVICE Curve curve_of(Map function, float p, float x) {
  switch (function) {
    case Map::Scale:
      return {p * x, p};
    case Map::Shift:
      return {x + p, 1.0f};
    case Map::Clamp:
      return {x < p ? p : x, x < p ? 0.0f : 1.0f};
    case Map::Relu:
      return {x < 0.0f ? 0.0f : x, x > 0.0f ? 1.0f : 0.0f};
    case Map::Exp:
      return {expf(x), expf(x)};
    case Map::Log:
      return {logf(x), 1.0f / x};
    case Map::Sqrt:
      return {sqrtf(x), x > 0.0f ? 0.5f / sqrtf(x) : 0.0f};
    case Map::Square:
      return {x * x, 2.0f * x};
    case Map::Abs:
      return {fabsf(x), x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f};
    case Map::Tanh: {
      const float y = tanhf(x);
      return {y, 1.0f - y * y};
    }
    case Map::Sigmoid: {
      const float y = plain_sigmoid(x);
      return {y, y * plain_sigmoid(-x)};
    }
    default:
      return {(x < 0.0f ? 0.0f : x) + log1pf(expf(-fabsf(x))), plain_sigmoid(x)};
  }
}

struct MapBody {
  Map function;
  float parameter;
  const float* x;
  float* y;
  DEVICE void operator()(int64_t i) const { y[i] = curve_of(function, parameter, x[i]).value; }
};

struct MapSlope {
  Map function;
  float parameter;
  const float *x, *dy;
  float* dx;
  DEVICE void operator()(int64_t i) const {
    dx[i] = dy[i] * curve_of(function, parameter, x[i]).slope;
  }
};

DEVICE float log_add_exp(float a, float b) {
  if (a == b) return a + 0.69314718f;  // also two equal infinities
  const float high = a > b ? a : b, low = a > b ? b : a;
  return high + log1pf(expf(low - high));
}

// What a has in the log of e^a + e^b.
DEVICE float share(float a, float b) { return a == minus_infinity() ? 0.0f : plain_sigmoid(a - b); }

DEVICE float value_of(Combine function, float a, float b) {
  switch (function) {
    case Combine::Add:
      return a + b;
    case Combine::Subtract:
      return a - b;
    case Combine::Multiply:
      return a * b;
    case Combine::Divide:
      return a / b;
    default:
      return log_add_exp(a, b);
  }
}

DEVICE float slope_by_a(Combine function, float a, float b) {
  switch (function) {
    case Combine::Multiply:
      return b;
    case Combine::Divide:
      return 1.0f / b;
    case Combine::LogAddExp:
      return share(a, b);
    default:
      return 1.0f;
  }
}

DEVICE float slope_by_b(Combine function, float a, float b) {
  switch (function) {
    case Combine::Subtract:
      return -1.0f;
    case Combine::Multiply:
      return a;
    case Combine::Divide:
      return -a / (b * b);
    case Combine::LogAddExp:
      return share(b, a);
    default:
      return 1.0f;
  }
}

// The row of element i; dividing 64 bits takes several times as long.
DEVICE int64_t row_at(int64_t i, int64_t columns) {
  return i >> 31 || columns >> 31 ? i / columns : int64_t(uint32_t(i) / uint32_t(columns));
}

// A matrix seen as if it had all rows and columns of another.
struct Spreading {
  const float* data;
  int64_t columns;  // of the other
  bool is_whole, one_row, one_column;

  Spreading(const Tensor& x, const Tensor& whole)
      : data(x.f32()),
        columns(whole.cols),
        is_whole(x.rows == whole.rows && x.cols == whole.cols),
        one_row(x.rows == 1),
        one_column(x.cols == 1) {}
  DEVICE float at(int64_t i) const {
    if (is_whole) return data[i];
    if (one_row && one_column) return data[0];
    const int64_t row = row_at(i, columns);
    return data[one_column ? row : i - row * columns];
  }
};

struct CombineBody {
  Combine function;
  Spreading a, b;
  float* y;
  DEVICE void operator()(int64_t i) const { y[i] = value_of(function, a.at(i), b.at(i)); }
};

struct CombineSlopes {
  Combine function;
  Spreading a, b;
  const float* dy;
  float *da, *db;  // null: not wanted
  DEVICE void operator()(int64_t i) const {
    const float left = a.at(i), right = b.at(i), pull = dy[i];
    if (da) da[i] = pull * slope_by_a(function, left, right);
    if (db) db[i] = pull * slope_by_b(function, left, right);
  }
};

struct ScaleBody {
  float scale;
  Spreading x;
  float* y;
  DEVICE void operator()(int64_t i) const { y[i] = scale * x.at(i); }
};

struct StoreScaled {
  double scale;
  float* y;
  DEVICE void operator()(int64_t i, double sum) const { y[i] = float(sum * scale); }
};

// Grid (rows / 8), 256 threads: a warp has a row.
__global__ void __launch_bounds__(kRowThreads)
    row_dots(float* y, const float* a, const float* b, int64_t rows, int64_t columns) {
  const int64_t row = row_of_warp();
  if (row >= rows) return;
  float sum = 0;
  for (int64_t j = lane_of_row(); j < columns; j += 32) {
    sum = fmaf(a[row * columns + j], b[row * columns + j], sum);
  }
  sum = warp_sum(sum);
  if (lane_of_row() == 0) y[row] = sum;
}

// Grid (rows), a warp or 256 threads: a block has a row, which it reads twice, the second time from
// a cache.
__global__ void __launch_bounds__(kSumThreads)
    log_sum_exp_rows(float* y, const float* x, int64_t columns) {
  auto& shared = shared_memory<WarpParts<float>>();
  const float* row = x + int64_t(blockIdx.x) * columns;
  float most = minus_infinity(), strange = 0;
  for (int64_t j = threadIdx.x; j < columns; j += blockDim.x) {
    most = Larger2{}(most, row[j]);
    if (row[j] != row[j]) strange = row[j];
  }
  most = block_fold(most, shared, Larger2{});
  strange = block_sum(strange, shared);  // no number where one is none
  float sum = 0;
  for (int64_t j = threadIdx.x; j < columns; j += blockDim.x) sum += expf(row[j] - most);
  sum = block_sum(sum, shared);
  if (threadIdx.x != 0) return;
  const bool is_plain = fabsf(most) <= 3.4028235e38f && strange == strange;
  y[blockIdx.x] = is_plain ? most + logf(sum) : most + strange;
}

struct SoftmaxBody {
  const float *x, *y, *dy;
  float* dx;
  int64_t columns;
  DEVICE void operator()(int64_t i) const {
    const int64_t row = row_at(i, columns);
    const float below = x[i] - y[row];
    dx[i] = below > -87.0f ? expf(below) * dy[row] : 0.0f;
  }
};

}  // namespace

template <>
void run<MapForward>(const Stream& stream, const MapForward& op) {
  over_elements(stream, op.x.size(), MapBody{op.function, op.parameter, op.x.f32(), op.y.f32()});
}

template <>
void run<MapBackward>(const Stream& stream, const MapBackward& op) {
  over_elements(stream, op.x.size(),
                MapSlope{op.function, op.parameter, op.x.f32(), op.dy.f32(), op.dx.f32()});
}

template <>
void run<CombineForward>(const Stream& stream, const CombineForward& op) {
  over_elements(stream, op.y.size(),
                CombineBody{op.function, Spreading(op.a, op.y), Spreading(op.b, op.y), op.y.f32()});
}

template <>
void run<CombineBackward>(const Stream& stream, const CombineBackward& op) {
  over_elements(stream, op.dy.size(),
                CombineSlopes{op.function, Spreading(op.a, op.dy), Spreading(op.b, op.dy),
                              op.dy.f32(), op.da.f32(), op.db.f32()});
}

template <>
void run<Reduce>(const Stream& stream, const Reduce& op) {
  const StoreScaled store{double(op.scale), op.y.f32()};
  if (op.y.size() == 1) return sum_all(stream, op.x, Itself{}, store);
  if (op.y.rows == op.x.rows && op.y.cols == op.x.cols) {
    return over_elements(stream, op.x.size(),
                         ScaleBody{op.scale, Spreading(op.x, op.y), op.y.f32()});
  }
  if (op.y.cols == 1 && op.y.rows == op.x.rows) return sum_rows(stream, op.x, Itself{}, store);
  sum_columns(stream, op.x, Itself{}, store);
}

template <>
void run<Spread>(const Stream& stream, const Spread& op) {
  over_elements(stream, op.y.size(), ScaleBody{op.scale, Spreading(op.x, op.y), op.y.f32()});
}

template <>
void run<RowDots>(const Stream& stream, const RowDots& op) {
  launch(stream, rows_extent(op.a.rows), row_dots, op.y.f32(), op.a.f32(), op.b.f32(), op.a.rows,
         op.a.cols);
}

template <>
void run<LogSumExpForward>(const Stream& stream, const LogSumExpForward& op) {
  const int threads = op.x.cols <= kNarrow ? 32 : kSumThreads;
  launch(stream, {dim3(blocks_of(op.x.rows, 1)), dim3(threads), sizeof(WarpParts<float>)},
         log_sum_exp_rows, op.y.f32(), op.x.f32(), op.x.cols);
}

template <>
void run<LogSumExpBackward>(const Stream& stream, const LogSumExpBackward& op) {
  over_elements(stream, op.x.size(),
                SoftmaxBody{op.x.f32(), op.y.f32(), op.dy.f32(), op.dx.f32(), op.x.cols});
}

}  // namespace inbatch::cuda
