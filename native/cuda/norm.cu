// Normalisation of rows and of the heads of rows. Contract: ops/norm.h.
//
// Grid (rows / 8), 256 threads: a warp has a row (or a head of one), a lane every 32nd column.
// Forward reads x twice, the second time from the cache; memory limits both directions.
//
// It adds the residual, not the product before it: there it would save 2 of the 10 C bytes of bf16
// that product and norm move for a token, and only where no dropout stands between the two.
#include "../ops/norm.h"

#include "columns.cuh"
#include "rows.cuh"
#include "types.cuh"

namespace inbatch::cuda {
namespace {

// Where the rows that are normalised lie: `heads` of them side by side in each row of a matrix.
struct Places {
  int64_t rows;            // all of them
  int64_t heads, columns;  // of a row; of a head
  int64_t pitch, first;    // of a row of the matrix, and where its first head begins
  DEVICE int64_t start(int64_t row) const {
    return row / heads * pitch + first + row % heads * columns;
  }
};

template <class T>
struct Forward {
  NormKind kind;
  float epsilon, offset;
  Places places;
  const T *x, *residual;
  const float *weight, *bias;
  T *sum, *y;
  float *mean, *rstd;
};

template <class T>
__global__ void __launch_bounds__(kRowThreads) norm_forward(Forward<T> op) {
  const int64_t row = row_of_warp();
  if (row >= op.places.rows) return;
  const int64_t start = op.places.start(row), columns = op.places.columns;
  float sum = 0.0f, squares = 0.0f;
  for (int64_t column = lane_of_row(); column < columns; column += 32) {
    float value = float(op.x[start + column]);
    if (op.residual) {
      const T rounded = T(value + float(op.residual[start + column]));
      op.sum[start + column] = rounded;
      value = float(rounded);
    }
    sum += value;
    squares = fmaf(value, value, squares);
  }
  const float inverse = 1.0f / float(columns);
  const float mean = op.kind == NormKind::Layer ? warp_sum(sum) * inverse : 0.0f;
  const float variance = fmaf(-mean, mean, warp_sum(squares) * inverse);
  const float rstd = 1.0f / sqrtf((variance > 0.0f ? variance : 0.0f) + op.epsilon);
  if (lane_of_row() == 0) {
    op.mean[row] = mean;
    op.rstd[row] = rstd;
  }
  const T* from = op.residual ? op.sum : op.x;
  for (int64_t column = lane_of_row(); column < columns; column += 32) {
    const float hat = (float(from[start + column]) - mean) * rstd;
    const float bias = op.bias ? op.bias[column] : 0.0f;
    op.y[start + column] = T(fmaf(hat, op.weight[column] + op.offset, bias));
  }
}

template <class T>
struct Backward {
  NormKind kind;
  float offset;
  Places places;
  const T* x;
  const float *weight, *mean, *rstd;
  const T* dy;
  T* dx;
};

// dx = rstd (g - mean(g) - hat mean(g hat)), g = dy (weight + offset). dx may be dy: a lane reads a
// column of it for the last time before it writes that column.
template <class T>
__global__ void __launch_bounds__(kRowThreads) norm_backward(Backward<T> op) {
  const int64_t row = row_of_warp();
  if (row >= op.places.rows) return;
  const int64_t start = op.places.start(row), columns = op.places.columns;
  const float mean = op.mean[row], rstd = op.rstd[row];
  float sum = 0.0f, along = 0.0f;
  for (int64_t column = lane_of_row(); column < columns; column += 32) {
    const float g = float(op.dy[start + column]) * (op.weight[column] + op.offset);
    sum += g;
    along = fmaf(g, (float(op.x[start + column]) - mean) * rstd, along);
  }
  const float inverse = 1.0f / float(columns);
  const float centre = op.kind == NormKind::Layer ? warp_sum(sum) * inverse : 0.0f;
  const float share = warp_sum(along) * inverse;
  for (int64_t column = lane_of_row(); column < columns; column += 32) {
    const float g = float(op.dy[start + column]) * (op.weight[column] + op.offset);
    const float hat = (float(op.x[start + column]) - mean) * rstd;
    op.dx[start + column] = T(rstd * (g - centre - hat * share));
  }
}

// What an element gives to the gradients of weight and bias.
template <class T>
struct ParameterParts {
  Places places;
  const T *x, *dy;
  const float *mean, *rstd;
  DEVICE void operator()(int64_t row, int64_t column, float (&sums)[2]) const {
    const int64_t at = places.start(row) + column;
    const float slope = float(dy[at]);
    sums[0] = fmaf(slope, (float(x[at]) - mean[row]) * rstd[row], sums[0]);
    sums[1] += slope;
  }
};

template <class T>
void forward(const Stream& stream, const Forward<T>& op) {
  launch(stream, rows_extent(op.places.rows), norm_forward<T>, op);
}

// The parameters first: dx may be dy.
template <class T>
void backward(const Stream& stream, const Backward<T>& op, const Pieces& pieces,
              const Tensor& dweight, const Tensor& dbias) {
  if (!dweight.empty() || !dbias.empty()) {
    const ParameterParts<T> parts{op.places, op.x, op.dy, op.mean, op.rstd};
    add_columns<2>(stream, pieces, op.places.columns, parts, {dweight.f32(), dbias.f32()});
  }
  launch(stream, rows_extent(op.places.rows), norm_backward<T>, op);
}

Places whole_rows(const Tensor& x) { return {x.rows, 1, x.cols, x.cols, 0}; }

Places heads_of(const Tensor& x, int64_t heads, int64_t first, int64_t width) {
  return {x.rows * heads, heads, width, x.cols, first};
}

}  // namespace

template <>
void run<NormForward>(const Stream& stream, const NormForward& op) {
  with_type(op.x, [&](auto* x) {
    using T = std::remove_pointer_t<decltype(x)>;
    forward<T>(stream, {op.kind, op.epsilon, op.offset, whole_rows(op.x), x, op.residual.as<T>(),
                        op.weight.f32(), op.bias.f32(), op.sum.as<T>(), op.y.as<T>(), op.mean.f32(),
                        op.rstd.f32()});
  });
}

template <>
void run<NormBackward>(const Stream& stream, const NormBackward& op) {
  with_type(op.sum, [&](auto* sum) {
    using T = std::remove_pointer_t<decltype(sum)>;
    backward<T>(stream,
                {op.kind, op.offset, whole_rows(op.sum), sum, op.weight.f32(), op.mean.f32(),
                 op.rstd.f32(), op.dy.as<T>(), op.dx.as<T>()},
                Pieces(op.offsets, op.sum.rows), op.dweight, op.dbias);
  });
}

template <>
void run<HeadNormForward>(const Stream& stream, const HeadNormForward& op) {
  const Places heads = heads_of(op.x, op.heads, op.first, op.weight.cols);
  with_type(op.x, [&](auto* x) {
    using T = std::remove_pointer_t<decltype(x)>;
    forward<T>(stream, {op.kind, op.epsilon, op.offset, heads, x, nullptr, op.weight.f32(),
                        op.bias.f32(), nullptr, op.y.as<T>(), op.mean.f32(), op.rstd.f32()});
  });
}

template <>
void run<HeadNormBackward>(const Stream& stream, const HeadNormBackward& op) {
  const Places heads = heads_of(op.x, op.heads, op.first, op.weight.cols);
  with_type(op.x, [&](auto* x) {
    using T = std::remove_pointer_t<decltype(x)>;
    backward<T>(stream,
                {op.kind, op.offset, heads, x, op.weight.f32(), op.mean.f32(), op.rstd.f32(),
                 op.dy.as<T>(), op.dx.as<T>()},
                Pieces(op.offsets, heads.rows, op.heads), op.dweight, op.dbias);
  });
}

}  // namespace inbatch::cuda
