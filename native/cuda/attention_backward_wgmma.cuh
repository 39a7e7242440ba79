// Attention of bf16 on Hopper, backward. Contract: ops/attention.h.
//
// Two kernels, as on every card (attention_backward_mma.cuh), in the blocks and rings of
// attention_ring.cuh: dq of units of 128 queries of a head, over the keys they see; dk and dv of
// units of 128 keys, over the heads they serve and the queries that see them. A computing group has
// 64 own rows, whose sums and both products of a tile stay in registers. Every element has one
// writer and one chain. Limited by products and exp. Where a relative bias is trained, dq comes
// from the portable kernel: the bias' gradients are sums over the diagonals of a tile of slopes,
// which it has in shared memory and these have in registers alone.
#pragma once

#include "attention_group.cuh"
#include "attention_slopes.cuh"

namespace inbatch::cuda {
namespace {

template <int D>
struct BackwardWgmma {
  using Ring = AttentionRing<D, kMet<D>, 2>;
  Ring ring;
  Distances<kMmaRows, kMet<D>> distances[2][2];  // of a group, for every other tile
};

template <int D>
__global__ void __launch_bounds__(kRingThreads, 1)
    attention_backward_queries_wgmma(AttentionRules rules, const __grid_constant__ TensorMap qkv,
                                     const __grid_constant__ TensorMap dout, int units,
                                     Gradients<bf16> given) {
  constexpr int kN = kMet<D>;
  using Ring = typename BackwardWgmma<D>::Ring;
  auto& shared = shared_memory<BackwardWgmma<D>>();
  auto& ring = shared.ring;
  const Errand errand = Errand::of_queries(rules, units, {{qkv, 0}, {dout, 0}}, qkv);
  ring.start();
  if (threadIdx.x < 128) return serve(ring, rules, errand);
  ComputingGroup<Ring> group(ring);
  group.each_unit([&](const Unit& unit, const auto& own) {
    const TextTile tile = unit.tile_of(group.index);
    const Range all = errand.reach<Ring>(unit.tile);
    const int first_row = tile.first + row_of_part(0);
    const QueryRow rows[2] = {query_row(rules, given, tile, unit.head, first_row),
                              query_row(rules, given, tile, unit.head, first_row + 8)};
    float s[kN / 2], dp[kN / 2], dq[D / 2];
    uint32_t slopes[kN / 16][4];
    clear_sums(dq);
    const auto distances = [&]() -> auto& { return shared.distances[group.index][group.copy()]; };
    const auto prepare = [&](int first) {
      group.bring(distances(), rules, unit.head, first - tile.first - (kMmaRows - 1));
    };
    const auto multiply = [&](int stage) {
      multiply_boxes<kN>(s, own[0], kMmaRows * group.index, ring.met[stage][0]);
      multiply_boxes<kN>(dp, own[1], kMmaRows * group.index, ring.met[stage][1]);
    };
    const auto weigh = [&](int first) {
      const bool is_whole =
          first + kN <= tile.tokens && sees_all(rules, tile.first, kMmaRows, first, kN);
#pragma unroll
      for (int j = 0; j < kN / 2; ++j) {
        const int at = row_of_part(j % 4), column = column_of_part(j / 4, j % 4);
        const int key = first + column;
        const bool is_seen = is_whole || (key < tile.tokens && rules.sees(tile.first + at, key));
        const float added = distances().at(rules, at, column);
        s[j] = is_seen ? weight_of(rules, rows[j % 4 / 2], key, s[j], added, dp[j]).slope : 0.0f;
      }
    };
    const auto take = [&] { pack_left(slopes, s); };
    const auto mix = [&](int stage) { add_boxes<kN>(dq, slopes, ring.met[stage][0]); };
    group.walk(all, reach_of_group<Ring>(tile, all, errand),
               TileSteps{prepare, multiply, weigh, take, mix});
    if (tile.is_none()) return;
    const int64_t row = rules.row();
    const float factors[2] = {rules.scale, rules.scale};
    store_rows(given.dqkv + tile.row() * row + unit.head * D, row, tile.rows(kMmaRows), dq,
               factors);
  });
}

template <int D>
struct BackwardKeysWgmma : BackwardWgmma<D> {
  QueryRows<kMet<D>> queries[2][2];  // of a group, for every other tile
};

template <int D>
__global__ void __launch_bounds__(kRingThreads, 1)
    attention_backward_keys_wgmma(AttentionRules rules, const __grid_constant__ TensorMap qkv,
                                  const __grid_constant__ TensorMap dout, int units,
                                  Gradients<bf16> given) {
  constexpr int kN = kMet<D>;
  using Ring = typename BackwardWgmma<D>::Ring;
  auto& shared = shared_memory<BackwardKeysWgmma<D>>();
  auto& ring = shared.ring;
  const Errand errand = Errand::of_keys(rules, units, qkv, dout);
  ring.start();
  if (threadIdx.x < 128) return serve(ring, rules, errand);
  ComputingGroup<Ring> group(ring);
  group.each_unit([&](const Unit& unit, const auto& own) {
    const TextTile tile = unit.tile_of(group.index);
    const Range all = errand.reach<Ring>(unit.tile);
    const Range mine = reach_of_group<Ring>(tile, all, errand);
    float s[kN / 2], dp[kN / 2], dk[D / 2], dv[D / 2];
    uint32_t weights[kN / 16][4], slopes[kN / 16][4];
    clear_sums(dk);
    clear_sums(dv);
    const int from = errand.met_head(unit.head);
    for (int head = from; head < from + errand.met_heads; ++head) {
      const int row = int(threadIdx.x) % kScoreThreads;
      const auto load = [&](int first) {
        return query_row(rules, given, tile, head, row < kN ? first + row : tile.tokens);
      };
      QueryRow next = load(mine.begin);  // on its way while a tile is worked on
      const auto prepare = [&](int first) {
        const int copy = group.copy(), distance = tile.first - first + (kMmaRows - 1);
        shared.distances[group.index][copy].fill(rules, head, distance, -1, kLog2);
        if (row < kN) shared.queries[group.index][copy].set(row, next);
        next = load(first + kN);
        group.sync();  // distances and queries written -> read; those of two tiles ago read
      };
      const auto multiply = [&](int stage) {
        multiply_boxes<kN>(s, own[0], kMmaRows * group.index, ring.met[stage][0]);
        multiply_boxes<kN>(dp, own[1], kMmaRows * group.index, ring.met[stage][1]);
      };
      const auto weigh = [&](int first) {
        const int copy = group.copy();
        const auto& queries = shared.queries[group.index][copy];
#pragma unroll
        for (int j = 0; j < kN / 2; ++j) {
          const int at = row_of_part(j % 4), column = column_of_part(j / 4, j % 4);
          const int key = tile.first + at, query = first + column;
          MmaWeight weight{0.0f, 0.0f};
          if (query < tile.tokens && rules.sees(query, key)) {
            const float added = shared.distances[group.index][copy].at(rules, at, column);
            weight = weight_of(rules, queries.at(column), key, s[j], added, dp[j]);
          }
          s[j] = weight.kept;
          dp[j] = weight.slope;
        }
      };
      const auto take = [&] {
        pack_left(weights, s);
        pack_left(slopes, dp);
      };
      const auto mix = [&](int stage) {
        add_boxes<kN>(dv, weights, ring.met[stage][1]);
        add_boxes<kN>(dk, slopes, ring.met[stage][0]);
      };
      group.walk_singly(all, mine, TileSteps{prepare, multiply, weigh, take, mix});
    }
    if (tile.is_none()) return;
    const int64_t row = rules.row();
    bf16* to = given.dqkv + tile.row() * row + (rules.heads + unit.head) * D;
    const float factors[2] = {rules.scale, rules.scale}, ones[2] = {1.0f, 1.0f};
    store_rows(to, row, tile.rows(kMmaRows), dk, factors);
    store_rows(to + rules.key_heads * D, row, tile.rows(kMmaRows), dv, ones);
  });
}

}  // namespace
}  // namespace inbatch::cuda
