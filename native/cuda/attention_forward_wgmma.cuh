// Attention of bf16 on Hopper, forward. Contract: ops/attention.h.
//
// The blocks and rings of attention_ring.cuh: a unit has 128 queries of a text and head, a
// computing group 64 of them, whose scores, weights and sums of values stay in registers; keys and
// values come in tiles of 64, each copied once for 128 queries. The products of a tile with queries
// and of the one before with values are issued together, and the groups take turns at that, so that
// one computes weights while the other's products run. Each row has the bits that its tile of 64
// queries alone would give. Up to some 256 tokens memory limits it, then exp and the products.
#pragma once

#include "attention_group.cuh"
#include "attention_softmax.cuh"

namespace inbatch::cuda {
namespace {

template <int D>
struct ForwardWgmma {
  using Ring = AttentionRing<D, kMmaRows, 1>;
  Ring ring;
  Distances<kMmaRows, kMmaRows> distances[2][2];  // of a group, for every other tile
};

template <int D>
__global__ void __launch_bounds__(kRingThreads, 1)
    attention_forward_wgmma(AttentionRules rules, const __grid_constant__ TensorMap qkv, int units,
                            bf16* __restrict__ o, float* __restrict__ lse) {
  using Ring = typename ForwardWgmma<D>::Ring;
  auto& shared = shared_memory<ForwardWgmma<D>>();
  auto& ring = shared.ring;
  const Errand errand = Errand::of_queries(rules, units, {{qkv, 0}, {qkv, 0}}, qkv);
  ring.start();
  if (threadIdx.x < 128) return serve(ring, rules, errand);
  ComputingGroup<Ring> group(ring);
  group.each_unit([&](const Unit& unit, const auto& own) {
    const TextTile tile = unit.tile_of(group.index);
    const Range all = errand.reach<Ring>(unit.tile);
    const uint32_t keys[2] = {rules.key_of(tile.text, unit.head, tile.first + row_of_part(0)),
                              rules.key_of(tile.text, unit.head, tile.first + row_of_part(2))};
    float s[kScores], out[D / 2], shrink[2];
    uint32_t weights[kMmaRows / 16][4];
    MmaRunning running;
    clear_sums(out);
    const auto distances = [&]() -> auto& { return shared.distances[group.index][group.copy()]; };
    const auto prepare = [&](int first) {
      group.bring(distances(), rules, unit.head, first - tile.first - (kMmaRows - 1));
    };
    const auto multiply = [&](int stage) {
      multiply_boxes<kMmaRows>(s, own[0], kMmaRows * group.index, ring.met[stage][0]);
    };
    const auto weigh = [&](int first) {
      score_tile(s, distances(), rules, tile, first);
      weigh_tile(s, running, shrink, rules, keys, first);
    };
    const auto take = [&] {
      scale_rows(out, shrink);
      pack_left(weights, s);
    };
    const auto mix = [&](int stage) { add_boxes<kMmaRows>(out, weights, ring.met[stage][1]); };
    group.walk(all, reach_of_group<Ring>(tile, all, errand),
               TileSteps{prepare, multiply, weigh, take, mix});
    if (tile.is_none()) return;
    float factors[2];
    end_softmax(running, factors, rules, tile, unit.head, lse);
    const int64_t width = int64_t(rules.heads) * D;
    store_rows(o + tile.row() * width + unit.head * D, width, tile.rows(kMmaRows), out, factors);
  });
}

}  // namespace
}  // namespace inbatch::cuda
