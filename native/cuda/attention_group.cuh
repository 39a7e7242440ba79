// Hopper's attention, a group that computes: its walk through the tiles that a unit meets, and its
// products. What comes to it: attention_ring.cuh.
#pragma once

#include "attention_ring.cuh"

namespace inbatch::cuda {
namespace {

// Steps of a tile, in their order; those of one tile end while the next is under way.
//
//   prepare(first)   what weigh reads beside the tile's rows is written
//   first(stage)     issues the products that begin from nothing
//   weigh(first)     makes weights of them
//   take()           the sums so far are free: weights become left operands
//   second(stage)    issues the products that add to the sums
//
// `first` is the place of the tile's first row, `stage` where its rows lie.
template <class Prepare, class First, class Weigh, class Take, class Second>
struct TileSteps {
  Prepare prepare;
  First first;
  Weigh weigh;
  Take take;
  Second second;
};

// One of the two groups. They take turns at issuing products, so that one weighs while the other's
// run: as many turns as a unit meets tiles, and one more for each head it meets.
template <class Ring>
struct ComputingGroup {
  Ring& ring;
  const int index = int(threadIdx.x) / 128 - 1;
  Turn<kMetStages> met;

  DEVICE explicit ComputingGroup(Ring& ring) : ring(ring) {
    registers_take<kComputingRegisters>();
    if (index == 1) end_turn();
  }

  // The first products of the next tile, issued in a turn that goes on.
  template <class Steps>
  DEVICE void begin_tile(int first, const Steps& steps) {
    steps.prepare(first);
    await_tile();
    begin_turn();
    wgmma_fence();
    steps.first(met.stage);
    wgmma_commit();
  }

  // A barrier of this group's threads.
  DEVICE void sync() const {
    if (index == 0) {
      named_barrier_sync<3>(128);
    } else {
      named_barrier_sync<4>(128);
    }
  }

  // What is added to scores by the distances from `first` on, where something is.
  template <class Distances>
  DEVICE void bring(Distances& distances, const AttentionRules& rules, int head, int first) const {
    if (!rules.adds) return;
    distances.fill(rules, head, first, 1, kLog2);
    sync();  // distances written -> read; those of the tile before the last read
  }

  // The units of this block: body(unit, its own panels).
  template <class Body>
  DEVICE void each_unit(const Body& body) {
    for (Turn<kUnits> turn;; turn.advance()) {
      mbarrier_wait(ring.own_full[turn.stage], turn.parity);
      if (ring.unit[turn.stage].head < 0) break;
      const Unit unit = ring.unit[turn.stage];
      body(unit, ring.own[turn.stage]);
      __syncwarp();  // the unit read by all lanes -> given back by one
      if (lane_id() == 0) mbarrier_arrive(ring.own_empty[turn.stage]);
    }
    if (index == 0) begin_turn();  // which the other group has left
  }

  // The tiles of `all`, which both groups go through; this one has work with those of `mine`.
  template <class Steps>
  DEVICE void walk(const Range& all, const Range& mine, const Steps& steps) {
    constexpr int kRows = Ring::met_rows;
    skip(all.begin, mine.begin);
    if (mine.begin >= mine.end) return skip_turn();
    int first = mine.begin;
    begin_tile(first, steps);
    end_turn();
    wgmma_wait<0>();
    steps.weigh(first);
    steps.take();
    int before = met.stage;
    met.advance();
    for (first += kRows; first < mine.end; first += kRows) {
      begin_tile(first, steps);
      steps.second(before);
      wgmma_commit();
      end_turn();
      wgmma_wait<1>();
      steps.weigh(first);
      wgmma_wait<0>();
      give_back(before);
      steps.take();
      before = met.stage;
      met.advance();
    }
    begin_turn();
    wgmma_fence();
    steps.second(before);
    wgmma_commit();
    end_turn();
    wgmma_wait<0>();
    give_back(before);
    skip(first, all.end);
  }

  // The same, each tile ended before the next: for sums that fill the registers. A turn a tile.
  template <class Steps>
  DEVICE void walk_singly(const Range& all, const Range& mine, const Steps& steps) {
    skip(all.begin, mine.begin);
    int first = mine.begin;
    for (; first < mine.end; first += Ring::met_rows) {
      begin_tile(first, steps);
      end_turn();
      wgmma_wait<0>();
      steps.weigh(first);
      steps.take();
      wgmma_fence();
      steps.second(met.stage);
      wgmma_commit();
      wgmma_wait<0>();
      give_back(met.stage);
      met.advance();
    }
    skip(first, all.end);
  }

  // Which of two copies of what prepare writes is this tile's. The other one is the tile's before,
  // or there was a turn since, which all threads of a group begin together.
  DEVICE int copy() const { return met.stage % 2; }

 private:
  DEVICE void begin_turn() const { GroupTurns{index}.begin(); }
  DEVICE void end_turn() const { GroupTurns{index}.end(); }
  DEVICE void skip_turn() const {
    begin_turn();
    end_turn();
  }

  DEVICE void await_tile() const { mbarrier_wait(ring.full[met.stage], met.parity); }
  // This warp has read the stage.
  DEVICE void give_back(int stage) const {
    if (lane_id() == 0) mbarrier_arrive(ring.empty[stage]);
  }
  // Goes past tiles. Each is waited for, or a group would be a round ahead of the other.
  DEVICE void skip(int first, int end) {
    for (; first < end; first += Ring::met_rows) {
      skip_turn();
      await_tile();
      give_back(met.stage);
      met.advance();
    }
  }
};

// What a group's tile of a unit that reaches `all` reaches itself: nothing behind the text's end.
template <class Ring>
DEVICE Range reach_of_group(const TextTile& tile, const Range& all, const Errand& errand) {
  if (tile.is_none()) return {all.end, all.end};
  return reach_of(tile, kMmaRows, Ring::met_rows, errand.back, errand.ahead);
}

// d = a b^T over D columns, for 64 rows of a from `first` on and all N of b.
template <int N, int rows, int D>
DEVICE void multiply_boxes(float (&d)[N / 2], const Boxes<rows, D>& a, int first,
                           const Boxes<N, D>& b) {
#pragma unroll
  for (int step = 0; step < D / 16; ++step) {
    wgmma<N>(d, a.by_rows(first, step), b.by_rows(0, step), step > 0);
  }
}

// The sums of a product of N columns, rounded, as left operands.
template <int sums>
DEVICE void pack_left(uint32_t (&a)[sums / 8][4], const float (&x)[sums]) {
#pragma unroll
  for (int k = 0; k < sums / 8; ++k) {
#pragma unroll
    for (int part = 0; part < 4; ++part) {
      a[k][part] = pack(x[8 * k + 2 * part], x[8 * k + 2 * part + 1]);
    }
  }
}

// d += a rows: one chain over the rows.
template <int N, int D>
DEVICE void add_boxes(float (&d)[D / 2], const uint32_t (&a)[N / 16][4], const Boxes<N, D>& rows) {
#pragma unroll
  for (int k = 0; k < N / 16; ++k) wgmma<D, true>(d, a[k], rows.by_columns(k), true);
}

template <int count>
DEVICE void clear_sums(float (&sums)[count]) {
#pragma unroll
  for (int j = 0; j < count; ++j) sums[j] = 0.0f;
}

// As many blocks as run at a time, if there is work for them.
inline Extent ring_extent(unsigned units, size_t shared) {
  return {dim3(std::min(units, unsigned(multiprocessors()))), dim3(kRingThreads), shared};
}

template <int D>
TensorMap boxes_of(const Tensor& x, int rows) {
  return tensor_map(x.as<bf16>(), x.rows, x.cols, x.cols, rows, Boxes<kMmaRows, D>::kWide, true);
}

}  // namespace
}  // namespace inbatch::cuda
