// Products of rows on ordinary cores: tiles of 32 rows against tiles of 32 rows, for any width and
// type.
//
// A block has 128 threads. Eight lanes share two rows of the tile that the block owns; each has
// four rows of the other tile and an eighth of the columns of a result. A product of two rows is
// one chain over their columns in order, a sum over the rows of a tile one chain in order.
#pragma once

#include "launch.cuh"

namespace inbatch::cuda {
namespace {

constexpr int kTile = 32, kTileThreads = 128, kLanes = 8, kOwn = 2, kOther = 4;
// Of a row of shared memory beyond its columns: eight lanes that read 16 bytes of eight rows meet
// all banks once.
constexpr int kPad = 4;

template <int W>
struct alignas(16) Tile {
  float at[kTile][W + kPad];
};
using Square = Tile<kTile>;

DEVICE int lane_of_tile() { return threadIdx.x % kLanes; }
DEVICE int own_row(int i) { return threadIdx.x / kLanes + i * (kTile / kOwn); }
DEVICE int other_row(int j) { return lane_of_tile() + j * kLanes; }

DEVICE float4 four_of(const float* at) { return *reinterpret_cast<const float4*>(at); }

// Rows of a matrix, `stride` elements apart, of which there are `count`; columns from `column` on.
template <class T>
struct Rows {
  const T* data;
  int64_t stride;
  int count;
};

// Neighbouring threads read neighbouring columns. What lies beyond is zero.
template <int W, class T>
DEVICE void load_tile(Tile<W>& to, const Rows<T>& rows, int column, int width) {
  const int columns = min(W, (width - column + 3) / 4 * 4);
  for (int at = threadIdx.x; at < kTile * columns; at += kTileThreads) {
    const int row = at / columns, j = at % columns;
    const bool is_there = row < rows.count && column + j < width;
    to.at[row][j] = is_there ? float(rows.data[row * rows.stride + column + j]) : 0.0f;
  }
}

// s[i][j] += own row i . other row j.
template <int W>
DEVICE void add_products(float (&s)[kOwn][kOther], const Tile<W>& own, const Tile<W>& other,
                         int columns) {
  for (int d = 0; d < columns; d += 4) {
    float4 a[kOwn], b[kOther];
#pragma unroll
    for (int i = 0; i < kOwn; ++i) a[i] = four_of(&own.at[own_row(i)][d]);
#pragma unroll
    for (int j = 0; j < kOther; ++j) b[j] = four_of(&other.at[other_row(j)][d]);
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
#pragma unroll
      for (int j = 0; j < kOther; ++j) {
        s[i][j] += a[i].x * b[j].x;
        s[i][j] += a[i].y * b[j].y;
        s[i][j] += a[i].z * b[j].z;
        s[i][j] += a[i].w * b[j].w;
      }
    }
  }
}

// A thread's part of 32 rows of W columns: of two rows the columns 4 lane + 32 j and the three
// after.
template <int W>
struct Sums {
  static constexpr int kParts = W / kTile;
  float at[kOwn][kParts][4] = {};

  // Row i of this += sum over k of weights[row i][k] rows[k], for k below count; only the first
  // `columns` are there.
  DEVICE void add_weighted(const Square& weights, const Tile<W>& rows, int count, int columns) {
    for (int k = 0; k < count; ++k) {
      float weight[kOwn];
#pragma unroll
      for (int i = 0; i < kOwn; ++i) weight[i] = weights.at[own_row(i)][k];
#pragma unroll
      for (int part = 0; part < kParts; ++part) {
        const int first = part * kTile + 4 * lane_of_tile();
        if (first >= columns) continue;
        const float4 row = four_of(&rows.at[k][first]);
#pragma unroll
        for (int i = 0; i < kOwn; ++i) {
          at[i][part][0] += weight[i] * row.x;
          at[i][part][1] += weight[i] * row.y;
          at[i][part][2] += weight[i] * row.z;
          at[i][part][3] += weight[i] * row.w;
        }
      }
    }
  }

  // Writes rows below `count`, columns below `width` from `column` on, each times its factor.
  template <class T>
  DEVICE void store(T* to, int64_t stride, int count, int column, int width,
                    const float (&factors)[kOwn]) const {
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
      if (own_row(i) >= count) continue;
#pragma unroll
      for (int part = 0; part < kParts; ++part) {
        const int first = column + part * kTile + 4 * lane_of_tile();
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          if (first + j >= width) continue;
          to[own_row(i) * stride + first + j] = T(at[i][part][j] * factors[i]);
        }
      }
    }
  }
};

// Over the eight lanes that share a row; the order is that of their distance.
DEVICE float row_sum(float value) {
#pragma unroll
  for (int bits = kLanes / 2; bits > 0; bits /= 2) {
    value += __shfl_xor_sync(all_lanes, value, bits);
  }
  return value;
}
DEVICE float row_max(float value) {
#pragma unroll
  for (int bits = kLanes / 2; bits > 0; bits /= 2) {
    value = fmaxf(value, __shfl_xor_sync(all_lanes, value, bits));
  }
  return value;
}

}  // namespace
}  // namespace inbatch::cuda
