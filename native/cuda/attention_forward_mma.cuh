// Attention of bf16 on matrix cores, forward. Contract: ops/attention.h.
//
// Grid (slots of tiles of 64 queries, heads), 4 warps: a block owns 64 queries of one text and
// head, a warp 16 of them, whose scores, largest score and sums of values stay in registers. Keys
// and values come in tiles of 64, the next on its way while one is worked on; each is read once for
// 64 queries. Up to some 256 tokens memory limits it, then exp and the products.
#pragma once

#include "attention_softmax.cuh"

namespace inbatch::cuda {
namespace {

template <int D>
struct ForwardMma {
  Panel<kMmaRows, D> q, k[2], v[2];
  Distances<kMmaRows, kMmaRows> distances;
};

template <int D>
__global__ void __launch_bounds__(kMmaThreads, 2)
    attention_forward_mma(AttentionRules rules, const bf16* __restrict__ qkv, bf16* __restrict__ o,
                          float* __restrict__ lse) {
  auto& shared = shared_memory<ForwardMma<D>>();
  const TextTile tile = tile_of_slot(rules.offsets, rules.text_count, kMmaRows, int(blockIdx.x));
  if (tile.is_none()) return;
  const int head = int(blockIdx.y), key_head = head / (rules.heads / rules.key_heads);
  const int rows = tile.rows(kMmaRows);
  const int64_t row = rules.row();
  const Range reach = reach_of(tile, kMmaRows, kMmaRows, rules.before, rules.after);
  const auto copy_keys = [&](int stage, int first) {
    const bf16* k = qkv + (tile.begin + first) * row + (rules.heads + key_head) * D;
    shared.k[stage].copy(k, row, tile.tokens - first);
    shared.v[stage].copy(k + rules.key_heads * D, row, tile.tokens - first);
  };
  shared.q.copy(qkv + tile.row() * row + head * D, row, rows);
  copy_keys(0, reach.begin);
  copy_async_commit();
  const uint32_t keys[2] = {rules.key_of(tile.text, head, tile.first + row_of_part(0)),
                            rules.key_of(tile.text, head, tile.first + row_of_part(2))};
  uint32_t q[D / 16][4];
  MmaRunning running;
  float out[D / 8][4];
  set_zero(out);
  int stage = 0;
  for (int first = reach.begin; first < reach.end; first += kMmaRows, stage = 1 - stage) {
    if (first + kMmaRows < reach.end) copy_keys(1 - stage, first + kMmaRows);
    copy_async_commit();  // a group for each tile; beyond the last an empty one
    shared.distances.fill(rules, head, first - tile.first - (kMmaRows - 1), 1, kLog2);
    copy_async_wait<1>();
    __syncthreads();  // q, this tile's k and v, and distances written -> read by all
    if (first == reach.begin) {
#pragma unroll
      for (int d = 0; d < D / 16; ++d) load_left(q[d], shared.q, d);
    }
    float s[kMmaRows / 8][4];
    set_zero(s);
#pragma unroll
    for (int d = 0; d < D / 16; ++d) add_step<kMmaRows, D>(s, q[d], shared.k[stage], d);
    float shrink[2];
    score_tile(flat(s), shared.distances, rules, tile, first);
    weigh_tile(flat(s), running, shrink, rules, keys, first);
    scale_rows(flat(out), shrink);
    add_mix<kMmaRows, D>(out, s, shared.v[stage]);
    __syncthreads();  // this tile and distances read -> overwritten by the one after the next
  }
  float factors[2];
  end_softmax(running, factors, rules, tile, head, lse);
  const int64_t width = int64_t(rules.heads) * D;
  store_rows(o + tile.row() * width + head * D, width, rows, flat(out), factors);
}

}  // namespace
}  // namespace inbatch::cuda
