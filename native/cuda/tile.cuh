// Products of two matrices by ordinary arithmetic, tile by tile: the sums of f32 that check all
// others, and sums of whole numbers. Every element is one chain over the depth in order.
//
// A block has a tile of 64 x 64, a thread 8 x 4 of it. Sixteen steps of the depth of both operands
// lie in shared memory, twice: while one stage is multiplied, the next is on its way through
// registers. A thread reads three vectors of four for 32 multiply-adds, so arithmetic limits it,
// where the depth is long.
#pragma once

#include "../base/host_device.h"
#include "launch.cuh"

namespace inbatch::cuda {

constexpr int kTile = 64, kTileStep = 16, kTileThreads = 128;
constexpr int kTileRows = 8, kTileColumns = 4;              // of a thread
constexpr int kTilePitch = kTile + 4;                       // vectors of four stay aligned
constexpr int kFetched = kTile * kTileStep / kTileThreads;  // elements of an operand and a thread

// Lines of a product: rows of its left operand, columns of its right one. Element k of a line lies
// at [line * pitch + k], or at [k * pitch + line] when the product goes across.
template <class T>
struct TileLines {
  const T* data;
  int64_t count, pitch;
};

template <class T>
struct TileStage {
  alignas(16) T a[kTileStep][kTilePitch];
  alignas(16) T b[kTileStep][kTilePitch];
};

template <class T>
struct TileShared {
  TileStage<T> stage[2];
};

template <class T>
struct alignas(16) Four {
  T value[4];
};

DEVICE float multiply_add(float a, float b, float sum) { return fmaf(a, b, sum); }
// Four products of bytes at once.
DEVICE int32_t multiply_add(int32_t a, int32_t b, int32_t sum) { return __dp4a(a, b, sum); }

// Which line and step of a stage the i-th element of this thread is: neighbours in memory go to
// neighbouring threads.
template <bool across>
DEVICE int line_of(int i) {
  const int thread = int(threadIdx.x);
  return across ? thread % kTile : thread / kTileStep + i * (kTileThreads / kTileStep);
}
template <bool across>
DEVICE int step_of(int i) {
  const int thread = int(threadIdx.x);
  return across ? thread / kTile + i * (kTileThreads / kTile) : thread % kTileStep;
}

// What lies beyond the lines or the depth is zero.
template <bool across, class T>
DEVICE void fetch(T (&to)[kFetched], const TileLines<T>& from, int64_t first, int64_t k,
                  int64_t depth) {
#pragma unroll
  for (int i = 0; i < kFetched; ++i) {
    const int64_t line = first + line_of<across>(i), step = k + step_of<across>(i);
    const int64_t at = across ? step * from.pitch + line : line * from.pitch + step;
    to[i] = line < from.count && step < depth ? from.data[at] : T(0);
  }
}

template <bool across, class T>
DEVICE void keep(T (&to)[kTileStep][kTilePitch], const T (&from)[kFetched]) {
#pragma unroll
  for (int i = 0; i < kFetched; ++i) to[step_of<across>(i)][line_of<across>(i)] = from[i];
}

// The first row and column of a thread within its tile.
DEVICE int tile_row() { return int(threadIdx.x) / (kTile / kTileColumns) * kTileRows; }
DEVICE int tile_column() { return int(threadIdx.x) % (kTile / kTileColumns) * kTileColumns; }

template <class T>
DEVICE void multiply_stage(T (&sum)[kTileRows][kTileColumns], const TileStage<T>& stage) {
  const int row = tile_row(), column = tile_column();
#pragma unroll
  for (int k = 0; k < kTileStep; ++k) {
    const auto top = *reinterpret_cast<const Four<T>*>(&stage.a[k][row]);
    const auto low = *reinterpret_cast<const Four<T>*>(&stage.a[k][row + 4]);
    const auto right = *reinterpret_cast<const Four<T>*>(&stage.b[k][column]);
#pragma unroll
    for (int i = 0; i < kTileRows; ++i) {
#pragma unroll
      for (int j = 0; j < kTileColumns; ++j) {
        const T left = i < 4 ? top.value[i % 4] : low.value[i % 4];
        sum[i][j] = multiply_add(left, right.value[j], sum[i][j]);
      }
    }
  }
}

// sum += a b^T for the tile whose first lines are `row` of a and `column` of b. All threads of the
// block come; before the next call they meet at a barrier, for it writes what this one reads last.
// Either operand may go across.
template <bool across, bool b_across = across, class T>
DEVICE void add_products(T (&sum)[kTileRows][kTileColumns], TileShared<T>& shared,
                         const TileLines<T>& a, const TileLines<T>& b, int64_t row, int64_t column,
                         int64_t depth) {
  T left[kFetched], right[kFetched];
  fetch<across>(left, a, row, 0, depth);
  fetch<b_across>(right, b, column, 0, depth);
  for (int64_t k = 0; k < depth; k += kTileStep) {
    TileStage<T>& stage = shared.stage[k / kTileStep % 2];
    keep<across>(stage.a, left);
    keep<b_across>(stage.b, right);
    __syncthreads();  // this stage written -> read by all; the other read -> written in the next
                      // step
    if (k + kTileStep < depth) {
      fetch<across>(left, a, row, k + kTileStep, depth);
      fetch<b_across>(right, b, column, k + kTileStep, depth);
    }
    multiply_stage(sum, stage);
  }
}

// A product as the kernel below computes it: `form` has the operands a and b, the depth, `across`,
// begin(row, column), what a sum begins with, and end(row, column, sum), what becomes of it.
// Grid (tiles): those of a row follow one another, so that its rows of a stay in the second cache.
template <class Form>
__global__ void __launch_bounds__(kTileThreads) product_tiles(const Form form) {
  using T = typename Form::Element;
  auto& shared = shared_memory<TileShared<T>>();
  const int64_t wide = (form.b.count + kTile - 1) / kTile;
  const int64_t first_row = blockIdx.x / wide * kTile, first_column = blockIdx.x % wide * kTile;
  const int64_t row = first_row + tile_row(), column = first_column + tile_column();
  T sum[kTileRows][kTileColumns];
#pragma unroll
  for (int i = 0; i < kTileRows; ++i) {
#pragma unroll
    for (int j = 0; j < kTileColumns; ++j) {
      const bool within = row + i < form.a.count && column + j < form.b.count;
      sum[i][j] = within ? form.begin(row + i, column + j) : T(0);
    }
  }
  add_products<Form::across>(sum, shared, form.a, form.b, first_row, first_column, form.depth);
#pragma unroll
  for (int i = 0; i < kTileRows; ++i) {
#pragma unroll
    for (int j = 0; j < kTileColumns; ++j) {
      const bool within = row + i < form.a.count && column + j < form.b.count;
      if (within) form.end(row + i, column + j, sum[i][j]);
    }
  }
}

INBATCH_HOST_DEVICE inline int64_t tiles_of(int64_t lines) { return (lines + kTile - 1) / kTile; }

template <class Form>
void multiply_tiles(const Stream& stream, const Form& form) {
  const unsigned blocks = blocks_of(tiles_of(form.a.count) * tiles_of(form.b.count), 1);
  launch(stream, {dim3(blocks), dim3(kTileThreads), sizeof(TileShared<typename Form::Element>)},
         product_tiles<Form>, form);
}

}  // namespace inbatch::cuda
