// Attention of bf16 on matrix cores, forward. Contract: ops/attention.h.
//
// Grid (slots of tiles of 64 queries, heads), 4 warps: a block owns 64 queries of one text and
// head, a warp 16 of them, whose scores, largest score and sums of values stay in registers. Keys
// and values come in tiles of 64, the next on its way while one is worked on; each is read once for
// 64 queries. Up to some 256 tokens memory limits it, then exp and the products.
#pragma once

#include "attention_mma.cuh"

namespace inbatch::cuda {
namespace {

template <int D>
struct ForwardMma {
  Panel<kMmaRows, D> q, k[2], v[2];
  Distances<kMmaRows, kMmaRows> distances;
};

constexpr int kGroups = kMmaRows / 8;  // of the columns of a tile of scores

// Of a lane's two rows. Scores are in units of log 2.
struct MmaRunning {
  float largest[2] = {-INFINITY, -INFINITY}, sum[2] = {};
};

// Over the four lanes that share a row.
DEVICE float quad_max(float value) {
  value = fmaxf(value, __shfl_xor_sync(all_lanes, value, 2));
  return fmaxf(value, __shfl_xor_sync(all_lanes, value, 1));
}
DEVICE float quad_sum(float value) {
  value += __shfl_xor_sync(all_lanes, value, 2);
  return value + __shfl_xor_sync(all_lanes, value, 1);
}

// Turns products into scores; what a query does not see is minus infinity.
template <int D>
DEVICE void score_tile(float (&s)[kGroups][4], const ForwardMma<D>& shared,
                       const AttentionRules& rules, const TextTile& tile, int first) {
  const bool is_whole =
      first + kMmaRows <= tile.tokens && sees_all(rules, tile.first, kMmaRows, first, kMmaRows);
  const float scale = rules.scale * kLog2;
#pragma unroll
  for (int j = 0; j < kGroups; ++j) {
#pragma unroll
    for (int part = 0; part < 4; ++part) {
      const int row = row_of_part(part), column = column_of_part(j, part), key = first + column;
      s[j][part] = s[j][part] * scale + shared.distances.at(rules, row, column);
      if (is_whole) continue;
      const bool is_seen = key < tile.tokens && rules.sees(tile.first + row, key);
      if (!is_seen) s[j][part] = -INFINITY;
    }
  }
}

// Turns scores into weights and brings what was summed before to the new maximum. A row that has
// seen nothing yet stays at zero; a score that is no number makes its row none.
template <int D>
DEVICE void weigh_tile(float (&s)[kGroups][4], MmaRunning& running, float (&out)[D / 8][4],
                       const AttentionRules& rules, const uint32_t (&keys)[2], int first) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float largest = running.largest[half];
#pragma unroll
    for (int j = 0; j < kGroups; ++j) {
      largest = fmaxf(largest, fmaxf(s[j][2 * half], s[j][2 * half + 1]));
    }
    largest = quad_max(largest);
    const float base = largest == -INFINITY ? 0.0f : largest;
    const float shrink = exp2_fast(running.largest[half] - base);
    running.largest[half] = largest;
    running.sum[half] *= shrink;
#pragma unroll
    for (int j = 0; j < kGroups; ++j) {
#pragma unroll
      for (int part = 2 * half; part < 2 * half + 2; ++part) {
        const float weight = exp2_fast(s[j][part] - base);
        running.sum[half] += weight;
        s[j][part] = weight * rules.kept(keys[half], first + column_of_part(j, part));
      }
    }
#pragma unroll
    for (int j = 0; j < D / 8; ++j) {
      out[j][2 * half] *= shrink;
      out[j][2 * half + 1] *= shrink;
    }
  }
}

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
    float s[kGroups][4];
    set_zero(s);
#pragma unroll
    for (int d = 0; d < D / 16; ++d) add_step<kMmaRows, D>(s, q[d], shared.k[stage], d);
    score_tile(s, shared, rules, tile, first);
    weigh_tile<D>(s, running, out, rules, keys, first);
    add_mix<kMmaRows, D>(out, s, shared.v[stage]);
    __syncthreads();  // this tile and distances read -> overwritten by the one after the next
  }
  float factors[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float sum = quad_sum(running.sum[half]);
    factors[half] = 1.0f / sum;
    const bool is_mine = row_of_part(2 * half) < rows && threadIdx.x % 4 == 0;
    if (lse && is_mine) {
      lse[(tile.row() + row_of_part(2 * half)) * rules.heads + head] =
          running.largest[half] * kLn2 + logf(sum);
    }
  }
  const int64_t width = int64_t(rules.heads) * D;
  store_rows<D>(o + tile.row() * width + head * D, width, rows, out, factors);
}

}  // namespace
}  // namespace inbatch::cuda
