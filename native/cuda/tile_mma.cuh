// Products of two matrices of bf16 by the tensor cores of every card from Ampere on: tiles of 64 or
// 128 squared, sums in f32. Every element is one chain over the depth in order, sixteen products to
// an instruction, whatever the tile.
//
// A warp has 32 columns and half of the rows of the tile. Operands come by asynchronous copies into
// a ring of four stages of 32 steps; the copies of three stages are in flight while one is
// multiplied. Chunks of 16 bytes are stored crosswise, so that the eight rows of a load of matrices
// fall into different banks.
//
// In tiles of 128 a warp loads 64 + 32 lines of 32 bytes for 16 instructions of 16 x 8 x 16: 21
// operations a byte of shared memory; in tiles of 64 (32 + 32 lines, 8 instructions) 16. On paper
// tensor cores do 16 in the time of a byte on an A100, so that both keep up, and 32 on an H100,
// where shared memory limits them: its products with weights have tiles of their own.
#pragma once

#include "launch.cuh"

namespace inbatch::cuda {

constexpr int kMmaStep = 32, kMmaStages = 4;
constexpr int kChunk = 8;  // elements of 16 bytes

// Lines of a product: rows of its left operand, columns of its right one. Element k of a line lies
// at [line * pitch + k], or at [k * pitch + line] when the product goes across. `whole`: what a
// line (or a step) begins with lies at a multiple of 16 bytes.
struct MmaLines {
  const bf16* data;
  int64_t count, pitch;
  bool whole;
};

template <int tile, bool across>
struct MmaTile {
  static constexpr int threads = 2 * tile;
  static constexpr int warp_rows = tile / 2, warp_columns = 32;
  static constexpr int tall = warp_rows / 16, wide = warp_columns / 8;       // products of a warp
  static constexpr int chunks = across ? tile / kChunk : kMmaStep / kChunk;  // side by side

  struct alignas(128) Stage {
    bf16 a[tile * kMmaStep], b[tile * kMmaStep];
  };
  struct Ring {
    Stage stage[kMmaStages];
  };
  using Sums = float[tall][wide][4];

  DEVICE static int warp_row() { return int(threadIdx.x) / 32 % 2 * warp_rows; }
  DEVICE static int warp_column() { return int(threadIdx.x) / 64 * warp_columns; }
  // Where the elements of a lane lie in a product of 16 x 8: part is its fourth.
  DEVICE static int row_of(int i, int part) {
    return warp_row() + 16 * i + int(threadIdx.x) % 32 / 4 + part / 2 * 8;
  }
  DEVICE static int column_of(int j, int part) {
    return warp_column() + 8 * j + int(threadIdx.x) % 4 * 2 + part % 2;
  }

  // body(row, column, x) for each of the sums that are this lane's.
  template <class Body>
  DEVICE static void for_each_sum(Sums& sum, const Body& body) {
#pragma unroll
    for (int i = 0; i < tall; ++i) {
#pragma unroll
      for (int j = 0; j < wide; ++j) {
#pragma unroll
        for (int part = 0; part < 4; ++part)
          body(row_of(i, part), column_of(j, part), sum[i][j][part]);
      }
    }
  }

  // The first element of a chunk: of a line, its depth in chunks; across, of a step, its lines.
  DEVICE static int place_of(int outer, int chunk) {
    const int turn = across ? outer % 8 : outer / 2 % 4;
    return (outer * chunks + (chunk ^ turn)) * kChunk;
  }

  DEVICE static void load_lines(bf16* to, const MmaLines& from, int64_t first, int64_t k,
                                int64_t depth) {
#pragma unroll
    for (int i = 0; i < tile * kMmaStep / kChunk / threads; ++i) {
      const int own = int(threadIdx.x) + i * threads, outer = own / chunks, chunk = own % chunks;
      const int64_t line = first + (across ? chunk * kChunk : outer);
      const int64_t step = k + (across ? outer : chunk * kChunk);
      int64_t left = across ? from.count - line : depth - step;
      if (line >= from.count || step >= depth) left = 0;
      const bf16* source =
          from.data + (across ? step * from.pitch + line : line * from.pitch + step);
      bf16* target = to + place_of(outer, chunk);
      if (from.whole) {
        const int bytes = left >= kChunk ? 16 : int(left) * 2;
        copy_async_16(target, bytes > 0 ? source : from.data, bytes);
      } else {
        uint4 words{0, 0, 0, 0};
        uint32_t* word = &words.x;
#pragma unroll
        for (int e = 0; e < kChunk; ++e) {
          if (e < left) word[e / 2] |= uint32_t(source[e].bits) << (e % 2 * 16);
        }
        *reinterpret_cast<uint4*>(target) = words;
      }
    }
  }

  DEVICE static void load_stage(Stage& stage, const MmaLines& a, const MmaLines& b, int64_t row,
                                int64_t column, int64_t k, int64_t depth) {
    if (k < depth) {
      load_lines(stage.a, a, row, k, depth);
      load_lines(stage.b, b, column, k, depth);
    }
    copy_async_commit();  // an empty group keeps the count of those in flight
  }

  DEVICE static void load_left(uint32_t (&a)[4], const Stage& stage, int i, int k) {
    const int lane = int(threadIdx.x) % 32;
    const int line = warp_row() + 16 * i;
    const int place = across ? place_of(k + lane / 16 * 8 + lane % 8, line / 8 + lane / 8 % 2)
                             : place_of(line + lane % 16, k / 8 + lane / 16);
    load_matrices<4, across>(a, stage.a + place);
  }

  // Two neighbours at once.
  DEVICE static void load_right(uint32_t (&b)[wide][2], const Stage& stage, int j, int k) {
    const int lane = int(threadIdx.x) % 32;
    const int line = warp_column() + 8 * j;
    const int place = across ? place_of(k + lane / 8 % 2 * 8 + lane % 8, line / 8 + lane / 16)
                             : place_of(line + lane / 16 * 8 + lane % 8, k / 8 + lane / 8 % 2);
    uint32_t both[4];
    load_matrices<4, across>(both, stage.b + place);
    b[j][0] = both[0];
    b[j][1] = both[1];
    b[j + 1][0] = both[2];
    b[j + 1][1] = both[3];
  }

  // each(i, a) sees the left operand of every product too.
  template <class Each>
  DEVICE static void multiply_stage(Sums& sum, const Stage& stage, const Each& each) {
#pragma unroll
    for (int k = 0; k < kMmaStep; k += 16) {
      uint32_t a[tall][4], b[wide][2];
#pragma unroll
      for (int i = 0; i < tall; ++i) load_left(a[i], stage, i, k);
#pragma unroll
      for (int j = 0; j < wide; j += 2) load_right(b, stage, j, k);
#pragma unroll
      for (int i = 0; i < tall; ++i) {
#pragma unroll
        for (int j = 0; j < wide; ++j) multiply(sum[i][j], a[i], b[j]);
        each(i, a[i]);
      }
    }
  }

  // sum += the products of the lines from `row` of a and from `column` of b on. All threads of the
  // block come; before the ring is used again they meet at a barrier.
  template <class Each>
  DEVICE static void add_products(Sums& sum, Ring& ring, const MmaLines& a, const MmaLines& b,
                                  int64_t row, int64_t column, int64_t depth, const Each& each) {
#pragma unroll
    for (int i = 0; i < kMmaStages - 1; ++i) {
      load_stage(ring.stage[i], a, b, row, column, i * kMmaStep, depth);
    }
    int at = 0;
    for (int64_t k = 0; k < depth; k += kMmaStep) {
      copy_async_wait<kMmaStages - 2>();
      __syncthreads();  // this stage landed -> read by all; the one before read -> filled below
      const int next = at == 0 ? kMmaStages - 1 : at - 1;
      load_stage(ring.stage[next], a, b, row, column, k + (kMmaStages - 1) * kMmaStep, depth);
      multiply_stage(sum, ring.stage[at], each);
      at = at + 1 == kMmaStages ? 0 : at + 1;
    }
    copy_async_wait<0>();
  }
};

struct Nothing {
  DEVICE void operator()(int, const uint32_t (&)[4]) const {}
};

}  // namespace inbatch::cuda
