// Products with weights. Contract: ops/linear.h.
//
// A packed weight is row-major (N rounded up to 16, K), or the same of its transpose, so forward
// and dx are one product of rows with rows (a b^T) and dweight is one of columns with columns (a^T
// b). f32 has the plain tiles of tile.cuh, bf16 the tensor cores (product.cuh).
//
// Packing reads a weight once, 4 bytes, and writes 2 or 4; memory limits it. A thread has an
// element, of a transposed copy four of a square (pack_columns).
#include "../ops/linear.h"

#include "elements.cuh"
#include "product.cuh"
#include "row_chain.cuh"
#include "tile.cuh"

namespace inbatch::cuda {
namespace {

// Packed row by row; rows beyond the last are zero.
template <class T>
struct PackedRows {
  const float* weight;
  T* packed;
  int64_t size;
  DEVICE void operator()(int64_t i) const { packed[i] = T(i < size ? weight[i] : 0.0f); }
};

struct UnpackedRows {
  const bf16* packed;
  float* weight;
  DEVICE void operator()(int64_t i) const { weight[i] = float(packed[i]); }
};

constexpr int kSquare = 32, kSquareLines = 8;  // of a transposition: a warp per line

struct Square {
  float value[kSquare][kSquare + 1];
};

// Grid (tiles), 256 threads: a block turns a square of 32 x 32 in shared memory, so that both sides
// are read and written along their rows; a line of it is one longer than the square, so that its
// columns meet all banks. A thread has four elements. packed (lanes, rows) = transpose of weight
// (rows, columns).
template <class T>
__global__ void __launch_bounds__(kSquare* kSquareLines)
    pack_columns(T* packed, const float* weight, int64_t rows, int64_t columns, int64_t lanes) {
  auto& square = shared_memory<Square>();
  const int64_t wide = (rows + kSquare - 1) / kSquare;
  const int64_t first_row = blockIdx.x % wide * kSquare, first_lane = blockIdx.x / wide * kSquare;
  const int own = int(threadIdx.x) % kSquare, line = int(threadIdx.x) / kSquare;
  for (int i = line; i < kSquare; i += kSquareLines) {
    const int64_t row = first_row + i, column = first_lane + own;
    const bool within = row < rows && column < columns;
    square.value[i][own] = within ? weight[row * columns + column] : 0.0f;
  }
  __syncthreads();  // square written -> read by other lanes
  for (int i = line; i < kSquare; i += kSquareLines) {
    const int64_t lane = first_lane + i, row = first_row + own;
    if (lane < lanes && row < rows) packed[lane * rows + row] = T(square.value[own][i]);
  }
}

// A product of f32 in plain tiles.
template <bool goes_across>
struct PlainProduct {
  using Element = float;
  static constexpr bool across = goes_across;
  TileLines<float> a, b;
  int64_t depth;
  Product<float> whole;

  explicit PlainProduct(const Product<float>& p)
      : a{p.a, p.rows, across ? p.rows : p.depth},
        b{p.b, p.columns, across ? p.columns : p.depth},
        depth(p.depth),
        whole(p) {}
  DEVICE float begin(int64_t row, int64_t column) const { return whole.begin(row, column); }
  DEVICE void end(int64_t row, int64_t column, float sum) const { whole.end(row, column, sum); }
};

template <class T>
void pack(const Stream& stream, const LinearPack& op) {
  const Tensor &weight = op.weight, &packed = op.packed;
  T* to = packed.as<T>();
  if (!op.transposed) {
    return over_elements(stream, packed.size(), PackedRows<T>{weight.f32(), to, weight.size()});
  }
  const int64_t lanes = packed.rows * kPanel, wide = blocks_of(weight.rows, kSquare);
  launch(stream,
         {dim3(blocks_of(wide * blocks_of(lanes, kSquare), 1)), dim3(kSquare * kSquareLines),
          sizeof(Square)},
         pack_columns<T>, to, weight.f32(), weight.rows, weight.cols, lanes);
}

template <class T>
Product<T> product_of(const LinearForward& op) {
  Product<T> product{op.x.as<T>(), op.packed.as<T>(), op.y.as<T>(),
                     op.x.rows,    op.y.cols,         op.x.cols};
  product.bias = op.bias.f32();
  product.activation = op.activation;
  product.pre = op.pre.as<T>();
  return product;
}

template <class T>
Product<T> product_of(const LinearBackwardInput& op) {
  Product<T> product{op.dy.as<T>(), op.packed.as<T>(), op.dx.as<T>(),
                     op.dy.rows,    op.dx.cols,        op.dy.cols};
  product.accumulate = op.accumulate;
  if (op.activation != Activation::None) {
    product.slope = op.activation;
    product.slope_pre = op.pre.as<T>();
  }
  return product;
}

template <class T>
Product<T, float> product_of(const LinearBackwardWeight& op) {
  const int64_t columns = op.dweight.empty() ? 0 : op.x.cols;
  Product<T, float> product{op.dy.as<T>(), op.x.as<T>(), op.dweight.f32(),
                            op.dy.cols,    columns,      op.x.rows};
  product.accumulate = true;
  return product;
}

template <class Op>
void multiply_rows_of(const Stream& stream, const Op& op) {
  if (op.packed.type == Type::BF16) return multiply_rows(stream, product_of<bf16>(op));
  multiply_tiles(stream, PlainProduct<false>(product_of<float>(op)));
}

}  // namespace

template <>
void run<LinearPack>(const Stream& stream, const LinearPack& op) {
  op.packed.type == Type::BF16 ? pack<bf16>(stream, op) : pack<float>(stream, op);
}

template <>
void run<LinearUnpack>(const Stream& stream, const LinearUnpack& op) {
  const int64_t first = op.row * op.weight.cols;
  if (op.packed.type == Type::BF16) {
    const bf16* from = op.packed.as<bf16>() + first;
    return over_elements(stream, op.weight.size(), UnpackedRows{from, op.weight.f32()});
  }
  stream.copy(op.weight.data, op.packed.f32() + first, size_t(op.weight.bytes()));
}

template <>
void run<LinearForward>(const Stream& stream, const LinearForward& op) {
  multiply_rows_of(stream, op);
}

template <>
void run<LinearBackwardInput>(const Stream& stream, const LinearBackwardInput& op) {
  multiply_rows_of(stream, op);
}

template <>
void run<LinearBackwardWeight>(const Stream& stream, const LinearBackwardWeight& op) {
  if (op.x.rows == 0 || (op.dweight.empty() && op.dbias.empty())) return;
  if (op.x.type == Type::BF16) {
    return multiply_columns(stream, product_of<bf16>(op), op.dbias.f32());
  }
  if (!op.dbias.empty()) add_rows(stream, op.dbias.f32(), op.dy);
  if (!op.dweight.empty()) multiply_tiles(stream, PlainProduct<true>(product_of<float>(op)));
}

}  // namespace inbatch::cuda
