// Products of rows in bf16 on Hopper, where the depth is small: two groups that take turns.
// Contract: product.cuh; chosen by tile_choice.h.
//
// A block has 192 columns, whose lines of b lie in shared memory from its first tile to its last,
// and every n-th tile of 64 rows, of which its two groups have every other one. One multiplies a
// tile from beginning to end while the other ends its own; a thread has 96 sums. One lane of the
// first warpgroup has the copy engine bring b once and a through a ring of seven stages, in the
// order of the tiles. `full` and `held` count the bytes that came, `empty` the warps that are done
// with a stage. Blocks of the same rows run side by side, so that these come from the second cache.
//
// The turns do more than keep the tensor cores busy: a group that was a tile ahead would take the
// stage of a round before for its own, for parities tell two rounds apart, not three.
//
// Limited, on paper, by the tensor cores: a step of 64 takes them 384 cycles and brings 8 KiB, 21
// bytes a cycle, of which the second cache has some 38 for each processor (its 5120 in all); shared
// memory moves 40 KiB in that time and could 48. Tiles of 128 x 256 that groups share bring 48
// bytes a cycle of their products, and end all at once, in which the tensor cores stand still. Here
// that happens beside the products: at a depth of 384 these last 2304 cycles, in which a warp can
// issue 24 instructions for each of a thread's sums. To end one takes some 16, by count of what the
// compiler makes of it, with GELU some 55: then the ends limit it, not the tensor cores.
//
// Rejected on paper: turns at tiles that share nothing (64 x 256 or 128 x 128 a group) bring 80 and
// 64 bytes a cycle, so the second cache halves their speed; one group some stages behind the other
// in a tile of 128 x 256, whose b both read: a lag that hides 2000 cycles is four stages, which is
// all there are. Of a depth of 768 the lines of 128 columns fit, beside three stages of 8 KiB: they
// cover 750 cycles, less than the way to the second cache and back. Products of columns have the
// depth of a batch and end once in thousands of steps: nothing to hide.
#pragma once

#include "product_ending.cuh"
#include "tile_choice.h"
#include "tile_wgmma.cuh"

namespace inbatch::cuda {
namespace {

constexpr int kTurnRows = 64, kTurnStages = 7, kTurnThreads = 3 * 128;
using TurnTile = WgmmaTile<1, kHeldColumns, false>;

// The tiles of a block. `each` of them apart, those in between are of other blocks.
struct TurnOrder {
  int column, first, count, each;

  DEVICE explicit TurnOrder(const Product<bf16>& product)
      : count(int((product.rows + kTurnRows - 1) / kTurnRows)) {
    const int wide = int((product.columns + kHeldColumns - 1) / kHeldColumns);
    column = int(blockIdx.x) % wide * kHeldColumns;
    first = int(blockIdx.x) / wide;
    each = int(gridDim.x) / wide;
  }
};

struct alignas(1024) TurnShared {
  bf16 b[kHeldDepth / kRingStep][kHeldColumns * kRingStep];
  bf16 a[kTurnStages][kTurnRows * kRingStep];
  Ending ending[8];
  Mbarrier held[kHeldDepth / kRingStep], full[kTurnStages], empty[kTurnStages];

  DEVICE void start() {
    if (threadIdx.x == 0) {
      for (Mbarrier& barrier : held) mbarrier_init(barrier, 1);
      for (Mbarrier& barrier : full) mbarrier_init(barrier, 1);
      for (Mbarrier& barrier : empty) mbarrier_init(barrier, 4);
      mbarrier_init_fence();
    }
    __syncthreads();  // barriers initialised -> used by all
  }

  // One thread: all that comes, in the order in which it is multiplied.
  DEVICE void produce(const TurnOrder& order, int depth, const TensorMap& left,
                      const TensorMap& right) {
    Turn<kTurnStages> turn;
    for (int tile = order.first; tile < order.count; tile += order.each) {
      for (int k = 0; k < depth; k += kRingStep, turn.advance()) {
        mbarrier_wait(empty[turn.stage], turn.parity ^ 1);
        mbarrier_arrive_expect(full[turn.stage], sizeof(a[0]));
        tensor_load(a[turn.stage], left, full[turn.stage], k, tile * kTurnRows);
        if (tile != order.first) continue;
        const int step = k / kRingStep;
        mbarrier_arrive_expect(held[step], sizeof(b[0]));
        tensor_load(b[step], right, held[step], k, order.column);
      }
    }
  }

  // A group: the products of its tile are issued; the stage that is returned is still read.
  DEVICE int multiply(TurnTile::Sums& sum, Turn<kTurnStages>& turn, int depth) {
    return multiply_steps(full, empty, turn, depth, [&](int stage, int k) {
      mbarrier_wait(held[k / kRingStep], 0);
      TurnTile::multiply_stage(sum, a[stage], b[k / kRingStep], k > 0, NothingBeside{});
    });
  }
};

// Goes past the stages of a tile that the other group has.
DEVICE void pass_tile(Turn<kTurnStages>& turn, int depth) {
  for (int k = 0; k < depth; k += kRingStep) turn.advance();
}

__global__ void __launch_bounds__(kTurnThreads, 1)
    product_of_rows_in_turns(const Product<bf16> product, bool whole_c,
                             const __grid_constant__ TensorMap a,
                             const __grid_constant__ TensorMap b) {
  auto& shared = shared_memory<TurnShared>();
  shared.start();
  const TurnOrder order(product);
  const int depth = int(product.depth);
  if (threadIdx.x < 128) {
    if (threadIdx.x == 0) shared.produce(order, depth, a, b);
    return;
  }
  // By way of a shuffle, so that the compiler sees that a warp's lanes go the same way: products in
  // what it takes for a divergent path it makes wait for one another.
  const int warp = __shfl_sync(all_lanes, int(threadIdx.x) / 32 - 4, 0);
  const GroupTurns groups{warp / 4};
  Turn<kTurnStages> turn;
  if (groups.index == 1) pass_tile(turn, depth);
  for (int tile = order.first + groups.index * order.each; tile < order.count;
       tile += 2 * order.each) {
    TurnTile::Sums sum;
    if (tile != order.first) groups.begin();
    const int last = shared.multiply(sum, turn, depth);
    if (tile + order.each < order.count) groups.end();
    wgmma_wait<0>();
    give_back(shared.empty[last]);
    end_sums<kHeldColumns>(product, sum, shared.ending[warp], tile * kTurnRows + 16 * (warp % 4),
                           order.column, whole_c);
    pass_tile(turn, depth);
  }
}

}  // namespace
}  // namespace inbatch::cuda
