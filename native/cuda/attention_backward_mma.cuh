// Attention of bf16 on matrix cores, backward. Contract: ops/attention.h.
//
// Two kernels, 4 warps a block: dq of 64 queries of a head, over the keys they see; dk and dv of 64
// keys, over the heads they serve and the queries that see them. Each computes the scores again, so
// there are seven products for five, and every element has one writer. The rows that a block meets
// come in tiles of 64, of 32 for wide heads, whose sums fill the registers; the next tile is on its
// way while one is worked on. Limited by products and exp.
#pragma once

#include "attention_slopes.cuh"

namespace inbatch::cuda {
namespace {

template <int D>
struct BackwardQueriesMma {
  static constexpr int kPitch = kMet<D> + 1;  // a diagonal meets all banks
  Panel<kMmaRows, D> q, dout;
  Panel<kMet<D>, D> k[2], v[2];
  QueryRows<kMmaRows> queries;
  Distances<kMmaRows, kMet<D>> distances;
  float slopes[kMmaRows * kPitch];  // of the scores, for the buckets
  float diagonals[kMmaRows + kMet<D>];
};

template <int D>
struct BackwardKeysMma {
  Panel<kMmaRows, D> k, v;
  Panel<kMet<D>, D> q[2], dout[2];
  QueryRows<kMet<D>> queries;
  Distances<kMmaRows, kMet<D>> distances;
};

template <int D>
__global__ void __launch_bounds__(kMmaThreads, 2)
    attention_backward_queries_mma(AttentionRules rules, Gradients<bf16> given) {
  constexpr int kN = kMet<D>;
  using Shared = BackwardQueriesMma<D>;
  auto& shared = shared_memory<Shared>();
  const int head = int(blockIdx.y), key_head = head / (rules.heads / rules.key_heads);
  const TextTile tile = tile_of_slot(rules.offsets, rules.text_count, kMmaRows, int(blockIdx.x));
  float* buckets = begin_buckets(rules, given, head);
  if (tile.is_none()) return;
  const int rows = tile.rows(kMmaRows);
  const int64_t row = rules.row(), width = int64_t(rules.heads) * D;
  const Range reach = reach_of(tile, kMmaRows, kN, rules.before, rules.after);
  const auto copy_keys = [&](int stage, int first) {
    const bf16* k = given.qkv + (tile.begin + first) * row + (rules.heads + key_head) * D;
    shared.k[stage].copy(k, row, tile.tokens - first);
    shared.v[stage].copy(k + rules.key_heads * D, row, tile.tokens - first);
  };
  shared.q.copy(given.qkv + tile.row() * row + head * D, row, rows);
  shared.dout.copy(given.dout + tile.row() * width + head * D, width, rows);
  copy_keys(0, reach.begin);
  copy_async_commit();
  shared.queries.fill(rules, given, tile, head, tile.first, kLog2);
  float dq[D / 8][4];
  set_zero(dq);
  int stage = 0;
  for (int first = reach.begin; first < reach.end; first += kN, stage = 1 - stage) {
    const int distance = first - tile.first - (kMmaRows - 1);
    if (first + kN < reach.end) copy_keys(1 - stage, first + kN);
    copy_async_commit();  // a group for each tile; beyond the last an empty one
    shared.distances.fill(rules, head, distance, 1, kLog2);
    copy_async_wait<1>();
    __syncthreads();  // q, dout, queries, this tile's k and v, distances written -> read by all
    float s[kN / 8][4], dp[kN / 8][4];
    set_zero(s);
    set_zero(dp);
    add_products<kMmaRows, kN, D>(s, shared.q, shared.k[stage]);
    add_products<kMmaRows, kN, D>(dp, shared.dout, shared.v[stage]);
#pragma unroll
    for (int j = 0; j < kN / 8; ++j) {
#pragma unroll
      for (int part = 0; part < 4; ++part) {
        const int at = row_of_part(part), column = column_of_part(j, part), key = first + column;
        const bool is_seen = at < rows && key < tile.tokens && rules.sees(tile.first + at, key);
        const float added = shared.distances.at(rules, at, column);
        s[j][part] =
            is_seen
                ? weight_of(rules, shared.queries.at(at), key, s[j][part], added, dp[j][part]).slope
                : 0.0f;
        if (buckets) shared.slopes[at * Shared::kPitch + column] = s[j][part];
      }
    }
    add_mix<kN, D>(dq, s, shared.k[stage]);
    if (buckets) {
      add_buckets<kMmaRows, kN>(rules, buckets, shared.slopes, Shared::kPitch, shared.diagonals,
                                distance);
    }
    __syncthreads();  // this tile, distances and slopes read -> overwritten
  }
  const float factors[2] = {rules.scale, rules.scale};
  store_rows(given.dqkv + tile.row() * row + head * D, row, rows, flat(dq), factors);
}

template <int D>
__global__ void __launch_bounds__(kMmaThreads, 2)
    attention_backward_keys_mma(AttentionRules rules, Gradients<bf16> given) {
  constexpr int kN = kMet<D>;
  auto& shared = shared_memory<BackwardKeysMma<D>>();
  const TextTile tile = tile_of_slot(rules.offsets, rules.text_count, kMmaRows, int(blockIdx.x));
  if (tile.is_none()) return;
  const int key_head = int(blockIdx.y), group = rules.heads / rules.key_heads;
  const int rows = tile.rows(kMmaRows);
  const int64_t row = rules.row(), width = int64_t(rules.heads) * D;
  const Range reach = reach_of(tile, kMmaRows, kN, rules.after, rules.before);
  const int tiles = (reach.end - reach.begin + kN - 1) / kN;  // of the queries of a head
  const auto head_of = [&](int step) { return key_head * group + step / tiles; };
  const auto first_of = [&](int step) { return reach.begin + step % tiles * kN; };
  const auto copy_queries = [&](int stage, int step) {
    const int first = first_of(step);
    const int64_t from = int64_t(tile.begin) + first, column = int64_t(head_of(step)) * D;
    shared.q[stage].copy(given.qkv + from * row + column, row, tile.tokens - first);
    shared.dout[stage].copy(given.dout + from * width + column, width, tile.tokens - first);
  };
  const int64_t at_k = tile.row() * row + (rules.heads + key_head) * D;
  const int64_t at_v = at_k + rules.key_heads * D;
  shared.k.copy(given.qkv + at_k, row, rows);
  shared.v.copy(given.qkv + at_v, row, rows);
  copy_queries(0, 0);
  copy_async_commit();
  float dk[D / 8][4], dv[D / 8][4];
  set_zero(dk);
  set_zero(dv);
  for (int step = 0; step < group * tiles; ++step) {
    const int stage = step % 2, first = first_of(step), head = head_of(step);
    if (step + 1 < group * tiles) copy_queries(1 - stage, step + 1);
    copy_async_commit();  // a group for each tile; beyond the last an empty one
    shared.distances.fill(rules, head, tile.first - first + (kMmaRows - 1), -1, kLog2);
    shared.queries.fill(rules, given, tile, head, first, kLog2);
    copy_async_wait<1>();
    __syncthreads();  // k, v, this tile's q and dout, queries, distances written -> read by all
    float s[kN / 8][4], dp[kN / 8][4];
    set_zero(s);
    set_zero(dp);
    add_products<kMmaRows, kN, D>(s, shared.k, shared.q[stage]);
    add_products<kMmaRows, kN, D>(dp, shared.v, shared.dout[stage]);
#pragma unroll
    for (int j = 0; j < kN / 8; ++j) {
#pragma unroll
      for (int part = 0; part < 4; ++part) {
        const int at = row_of_part(part), column = column_of_part(j, part);
        const int key = tile.first + at, query = first + column;
        const bool is_seen = at < rows && query < tile.tokens && rules.sees(query, key);
        MmaWeight weight{0.0f, 0.0f};
        if (is_seen) {
          weight = weight_of(rules, shared.queries.at(column), key, s[j][part],
                             shared.distances.at(rules, at, column), dp[j][part]);
        }
        s[j][part] = weight.kept;
        dp[j][part] = weight.slope;
      }
    }
    add_mix<kN, D>(dv, s, shared.dout[stage]);
    add_mix<kN, D>(dk, dp, shared.q[stage]);
    __syncthreads();  // this tile, queries and distances read -> overwritten
  }
  const float factors[2] = {rules.scale, rules.scale}, ones[2] = {1.0f, 1.0f};
  store_rows(given.dqkv + at_k, row, rows, flat(dk), factors);
  store_rows(given.dqkv + at_v, row, rows, flat(dv), ones);
}

}  // namespace
}  // namespace inbatch::cuda
