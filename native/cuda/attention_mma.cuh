// Tiles of bf16 on the matrix cores of every card from Ampere on (mma.sync), for attention.
//
// 128 threads have a tile of 64 rows, a warp 16 of them. Of a result a lane has of rows
// lane / 4 and lane / 4 + 8 the columns 8 j + lane % 4 * 2 and the one after: [j][0, 1] and
// [j][2, 3].
#pragma once

#include "attention_scores.cuh"

namespace inbatch::cuda {
namespace {

constexpr int kMmaThreads = kScoreThreads, kMmaRows = 64, kWarpRows = 16;
constexpr float kLog2 = 1.44269504f, kLn2 = 0.693147181f;  // exp as a power of two

// The 8 beyond a row: eight rows of 16 bytes meet all banks once, for each of the widths.
template <int rows, int D>
struct alignas(16) Panel {
  bf16 at[rows][D + 8];

  // Begins to copy rows that lie `stride` elements apart; from `count` on they are zero.
  DEVICE void copy(const bf16* from, int64_t stride, int count) {
    constexpr int kChunks = D / 8;
    for (int chunk = int(threadIdx.x); chunk < rows * kChunks; chunk += kMmaThreads) {
      const int row = chunk / kChunks, column = chunk % kChunks * 8;
      const bool is_there = row < count;
      copy_async_16(&at[row][column], is_there ? from + row * stride + column : from,
                    is_there ? 16 : 0);
    }
  }
};

DEVICE int warp_row() { return int(threadIdx.x) % kMmaThreads / 32 * kWarpRows; }
// The row and column of the tile that part `part` of column group j is.
DEVICE int row_of_part(int part) { return warp_row() + int(threadIdx.x) % 32 / 4 + part / 2 * 8; }
DEVICE int column_of_part(int j, int part) { return 8 * j + int(threadIdx.x) % 4 * 2 + part % 2; }

template <int count>
DEVICE void set_zero(float (&x)[count][4]) {
#pragma unroll
  for (int j = 0; j < count; ++j) {
#pragma unroll
    for (int part = 0; part < 4; ++part) x[j][part] = 0.0f;
  }
}

// The warp's 16 rows and the columns from 16 d on, as a left operand.
template <int rows, int D>
DEVICE void load_left(uint32_t (&a)[4], const Panel<rows, D>& panel, int d) {
  const int lane = int(threadIdx.x) % 32;
  load_matrices<4>(a, &panel.at[warp_row() + lane % 16][16 * d + lane / 16 * 8]);
}

// s += a b^T over the columns from 16 d on: `b` has a column of s in each row.
template <int N, int D>
DEVICE void add_step(float (&s)[N / 8][4], const uint32_t (&a)[4], const Panel<N, D>& b, int d) {
  const int lane = int(threadIdx.x) % 32;
#pragma unroll
  for (int j = 0; j < N / 8; j += 2) {
    uint32_t two[4];
    load_matrices<4>(two, &b.at[8 * (j + lane / 16) + lane % 8][16 * d + lane / 8 % 2 * 8]);
    multiply(s[j], a, {two[0], two[1]});
    multiply(s[j + 1], a, {two[2], two[3]});
  }
}

// s += own b^T: one chain over the columns.
template <int rows, int N, int D>
DEVICE void add_products(float (&s)[N / 8][4], const Panel<rows, D>& own, const Panel<N, D>& b) {
#pragma unroll
  for (int d = 0; d < D / 16; ++d) {
    uint32_t a[4];
    load_left(a, own, d);
    add_step<N, D>(s, a, b, d);
  }
}

// out += weights rows: the accumulator of one product is, rounded and packed, the left operand of
// the next. One chain over the rows.
template <int N, int D>
DEVICE void add_mix(float (&out)[D / 8][4], const float (&weights)[N / 8][4],
                    const Panel<N, D>& rows) {
  const int lane = int(threadIdx.x) % 32;
#pragma unroll
  for (int k = 0; k < N / 16; ++k) {
    const float(&low)[4] = weights[2 * k], (&high)[4] = weights[2 * k + 1];
    const uint32_t a[4] = {pack(low[0], low[1]), pack(low[2], low[3]), pack(high[0], high[1]),
                           pack(high[2], high[3])};
#pragma unroll
    for (int j = 0; j < D / 8; j += 2) {
      uint32_t two[4];
      load_matrices<4, true>(two, &rows.at[16 * k + lane % 16][8 * (j + lane / 16)]);
      multiply(out[j], a, {two[0], two[1]});
      multiply(out[j + 1], a, {two[2], two[3]});
    }
  }
}

// The same registers in the order in which wgmma counts them.
template <int count>
DEVICE float (&flat(float (&x)[count][4]))[4 * count] {
  return reinterpret_cast<float(&)[4 * count]>(x);
}

// Of four neighbouring column groups, two columns a word: lane i of the four that share a row gets
// what they all have of group i, in order.
DEVICE void gather_group(uint32_t (&words)[4]) {
#pragma unroll
  for (int bit = 1; bit < 4; bit *= 2) {
    const bool is_upper = threadIdx.x & bit;
#pragma unroll
    for (int low = 0; low < 4; ++low) {
      if (low & bit) continue;
      const uint32_t given = is_upper ? words[low] : words[low | bit];
      const uint32_t taken = __shfl_xor_sync(all_lanes, given, bit);
      if (is_upper) {
        words[low] = taken;
      } else {
        words[low | bit] = taken;
      }
    }
  }
}

// Writes the rows of the tile below `count`, each times its factor: 16 bytes at a time, and of the
// 16 columns beyond a multiple of 32 four bytes.
template <int sums>
DEVICE void store_rows(bf16* to, int64_t stride, int count, const float (&x)[sums],
                       const float (&factors)[2]) {
  constexpr int kGroups = sums / 4;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = row_of_part(2 * half);
    const auto word = [&](int j) {
      return pack(x[4 * j + 2 * half] * factors[half], x[4 * j + 2 * half + 1] * factors[half]);
    };
#pragma unroll
    for (int j = 0; j < kGroups / 4 * 4; j += 4) {
      uint32_t words[4] = {word(j), word(j + 1), word(j + 2), word(j + 3)};
      gather_group(words);
      if (row >= count) continue;
      *reinterpret_cast<uint4*>(to + row * stride + 8 * j + threadIdx.x % 4 * 8) = {
          words[0], words[1], words[2], words[3]};
    }
#pragma unroll
    for (int j = kGroups / 4 * 4; j < kGroups; ++j) {
      if (row >= count) continue;
      *reinterpret_cast<uint32_t*>(to + row * stride + column_of_part(j, 0)) = word(j);
    }
  }
}

// Whether every row of the tile sees every one of `met` rows from `first` on, which saves the
// comparisons. `queries`, `keys`: the first of each, and how many there are.
DEVICE bool sees_all(const AttentionRules& rules, int query, int queries, int key, int keys) {
  return rules.sees(query, key + keys - 1) && rules.sees(query + queries - 1, key);
}

// body(width as a constant) for the widths that have kernels; whether it has one.
template <class Body>
bool with_width(int width, const Body& body) {
  switch (width) {
    case 32:
      body(std::integral_constant<int, 32>());
      return true;
    case 64:
      body(std::integral_constant<int, 64>());
      return true;
    case 80:
      body(std::integral_constant<int, 80>());
      return true;
    case 96:
      body(std::integral_constant<int, 96>());
      return true;
    case 128:
      body(std::integral_constant<int, 128>());
      return true;
    default:
      return false;
  }
}

}  // namespace
}  // namespace inbatch::cuda
