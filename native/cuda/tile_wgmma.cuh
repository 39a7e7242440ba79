// Products of two matrices of bf16 by the tensor cores of Hopper: tiles of 64 or 128 rows, sums in
// f32. Every element is one chain over the depth in order, sixteen products to an instruction,
// whatever the tile.
//
// One lane of the first warpgroup of a block has the copy engine fill a ring of four stages of 64
// steps; each other warpgroup owns 64 rows of the tile and multiplies a stage while the one before
// is given back. The more columns a tile has, the less is read of shared memory for each product.
// `full` counts the bytes that came into a stage, `empty` the warps that are done with it.
// A stage of 128 x 256 is 48 KiB, of 128 x 128 32 and of 64 x 64 16: four of them fit beside what
// ends the sums, five of the largest do not.
#pragma once

#include "launch.cuh"
#include "turn.cuh"

namespace inbatch::cuda {

constexpr int kRingStep = 64, kRingStages = 4;

// The tiles of a matrix, of which a block has every n-th; those of a row follow one another.
// Counted in 32 bits, as the copy engine does.
template <int tile_rows, int tile_columns>
struct TileOrder {
  int wide, count;

  INBATCH_HOST_DEVICE TileOrder(int64_t rows, int64_t columns)
      : wide(int((columns + tile_columns - 1) / tile_columns)),
        count(int((rows + tile_rows - 1) / tile_rows) * wide) {}
  DEVICE int row(int tile) const { return tile / wide * tile_rows; }
  DEVICE int column(int tile) const { return tile % wide * tile_columns; }
};

struct NothingBeside {
  DEVICE void operator()(uint64_t) const {}
};

// This warp has read a stage.
DEVICE void give_back(Mbarrier& empty) {
  if (threadIdx.x % 32 == 0) mbarrier_arrive(empty);
}

// The steps of a tile, by a warpgroup of consumers: issue(stage, k) issues the products of a stage
// that is full. One is given back while the next is multiplied; the last, which is returned, is
// still read.
template <int stages, class Issue>
DEVICE int multiply_steps(Mbarrier (&full)[stages], Mbarrier (&empty)[stages], Turn<stages>& turn,
                          int depth, const Issue& issue) {
  int before = 0;
  for (int k = 0; k < depth; k += kRingStep) {
    mbarrier_wait(full[turn.stage], turn.parity);
    issue(turn.stage, k);
    if (k > 0) {
      wgmma_wait<1>();
      give_back(empty[before]);
    }
    before = turn.stage;
    turn.advance();
  }
  return before;
}

// Rows with rows, or, across, columns with columns. A line of 128 bytes in shared memory is 64
// steps of a row, or 64 columns at one step: then a stage is made of boxes of 64 columns.
template <int groups, int tile_columns, bool across>
struct WgmmaTile {
  static constexpr int rows = 64 * groups, columns = tile_columns;
  static constexpr int threads = 128 * (groups + 1), warps = 4 * groups;
  static constexpr int box = 64 * kRingStep;  // elements
  static constexpr int eight_lines = 8 * 64 * int(sizeof(bf16));
  static constexpr uint32_t stage_bytes = (rows + columns) * kRingStep * sizeof(bf16);

  struct alignas(1024) Stage {
    bf16 a[rows * kRingStep], b[columns * kRingStep];
  };
  struct alignas(1024) Ring {
    Stage stage[kRingStages];
    Mbarrier full[kRingStages], empty[kRingStages];
  };
  using Order = TileOrder<rows, columns>;
  using Sums = float[columns / 2];

  // Where the j-th sum of a thread lies in its tile.
  DEVICE static int row_of(int j) {
    const int warp = int(threadIdx.x) / 32 - 4, lane = int(threadIdx.x) % 32;
    return 16 * warp + lane / 4 + j % 4 / 2 * 8;
  }
  DEVICE static int column_of(int j) { return j / 4 * 8 + int(threadIdx.x) % 4 * 2 + j % 2; }

  DEVICE static void start(Ring& ring) {
    if (threadIdx.x == 0) {
      for (int stage = 0; stage < kRingStages; ++stage) {
        mbarrier_init(ring.full[stage], 1);
        mbarrier_init(ring.empty[stage], warps);
      }
      mbarrier_init_fence();
    }
    __syncthreads();  // barriers of the ring initialised -> used by all
  }

  DEVICE static void load(bf16* to, const TensorMap& map, Mbarrier& full, int lines, int first,
                          int k) {
    if constexpr (across) {
      for (int at = 0; at < lines; at += 64) {
        tensor_load(to + at * kRingStep, map, full, first + at, k);
      }
    } else {
      tensor_load(to, map, full, k, first);
    }
  }

  // One thread: all stages of all tiles of this block.
  template <class P>
  DEVICE static void produce(Ring& ring, const P& product, const TensorMap& a, const TensorMap& b) {
    const Order order(product.rows, product.columns);
    const int depth = int(product.depth);
    Turn<kRingStages> turn;
    bool is_fresh = true;  // the stages that nobody has used yet
    for (int tile = int(blockIdx.x); tile < order.count; tile += int(gridDim.x)) {
      for (int k = 0; k < depth; k += kRingStep) {
        Stage& stage = ring.stage[turn.stage];
        Mbarrier& full = ring.full[turn.stage];
        if (!is_fresh) mbarrier_wait(ring.empty[turn.stage], turn.parity ^ 1);
        mbarrier_arrive_expect(full, stage_bytes);
        load(stage.a, a, full, rows, order.row(tile), k);
        load(stage.b, b, full, columns, order.column(tile), k);
        turn.advance();
        is_fresh = is_fresh && turn.stage != 0;
      }
    }
  }

  // Sixteen steps of 64 lines (or, of b, of all columns) from `step` on.
  DEVICE static uint64_t operand(const bf16* lines, int step) {
    if constexpr (across) {
      return matrix_descriptor(lines + step * 64, box * sizeof(bf16), eight_lines);
    } else {
      return matrix_descriptor(lines + step, 16, eight_lines);
    }
  }

  // Four products of a stage, 64 lines of a; each(a) sees their left operands too.
  template <class Each>
  DEVICE static void multiply_stage(Sums& sum, const bf16* left, const bf16* right, bool continues,
                                    const Each& each) {
    wgmma_fence();
#pragma unroll
    for (int step = 0; step < kRingStep; step += 16) {
      const uint64_t a = operand(left, step);
      const uint64_t b = operand(right, step);
      wgmma<columns, across, across>(sum, a, b, continues || step > 0);
      each(a);
    }
    wgmma_commit();
  }

  // Where the lines of a group of consumers lie in a stage.
  DEVICE static int own_box() { return (int(threadIdx.x) / 128 - 1) * box; }

  // sum = the products of one tile.
  DEVICE static void multiply_lines(Sums& sum, Ring& ring, Turn<kRingStages>& turn, int depth) {
    const int last = multiply_steps(ring.full, ring.empty, turn, depth, [&](int at, int k) {
      const Stage& stage = ring.stage[at];
      multiply_stage(sum, stage.a + own_box(), stage.b, k > 0, NothingBeside{});
    });
    wgmma_wait<0>();
    give_back(ring.empty[last]);
  }

  // sum += the products of one tile. Each stage is waited for: sums that begin as something else
  // may not be in flight from one step to the next, or the compiler has every product wait. The
  // other warpgroup's products fill the gap.
  template <class Each>
  DEVICE static void add_products(Sums& sum, Ring& ring, Turn<kRingStages>& turn, int depth,
                                  const Each& each) {
    for (int k = 0; k < depth; k += kRingStep) {
      const Stage& stage = ring.stage[turn.stage];
      mbarrier_wait(ring.full[turn.stage], turn.parity);
      multiply_stage(sum, stage.a + own_box(), stage.b, true, each);
      wgmma_wait<0>();
      give_back(ring.empty[turn.stage]);
      turn.advance();
    }
  }
};

}  // namespace inbatch::cuda
