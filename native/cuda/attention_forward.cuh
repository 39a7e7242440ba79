// Attention on ordinary cores, forward: a block owns a tile of queries and keeps for each the
// largest score, the sum of weights and the weighted sum of values. Contract: ops/attention.h.
//
// A block has 32 queries, a thread two of them: four scores of each at a time and an eighth of the
// columns of their sums. Keys and values come 32 at a time, each read once for 32 queries: 16
// operations for each byte of f32. Arithmetic limits it, and the reads of shared memory behind it:
// six vectors of four for 32 multiply-adds of scores, a vector and two weights for eight of values.
// Heads wider than W compute their scores once for each W columns of the result.
#pragma once

#include "attention_scores.cuh"
#include "row_tiles.cuh"

namespace inbatch::cuda {
namespace {

template <int W>
struct ForwardShared {
  Tile<W> q, k, v;
  Square weights;
  Distances<kTile, kTile> distances;
};

// The largest score of a row so far, and the sum of exp(score - largest): of this lane's keys.
struct Running {
  float largest[kOwn] = {-INFINITY, -INFINITY}, sum[kOwn] = {};
};

// Turns scores into weights, stores them for the eight lanes of their row, and brings what was
// summed before to the new maximum. A row that has seen nothing yet stays at zero; a score that is
// no number makes its row none.
template <int W>
DEVICE void weigh(const AttentionRules& rules, Running& running, Sums<W>& sums, Square& weights,
                  const float (&s)[kOwn][kOther], const TextTile& tile, int first_key,
                  const uint32_t (&keys)[kOwn]) {
#pragma unroll
  for (int i = 0; i < kOwn; ++i) {
    const int query = tile.first + own_row(i);
    bool seen[kOther];
    float largest = running.largest[i];
#pragma unroll
    for (int j = 0; j < kOther; ++j) {
      const int key = first_key + other_row(j);
      seen[j] = key < tile.tokens && rules.sees(query, key);
      if (seen[j]) largest = fmaxf(largest, s[i][j]);
    }
    largest = row_max(largest);
    const float base = largest == -INFINITY ? 0.0f : largest;
    const float shrink = expf(running.largest[i] - base);
    running.largest[i] = largest;
    running.sum[i] *= shrink;
#pragma unroll
    for (int j = 0; j < kOther; ++j) {
      const float weight = seen[j] ? expf(s[i][j] - base) : 0.0f;
      running.sum[i] += weight;
      weights.at[own_row(i)][other_row(j)] = weight * rules.kept(keys[i], first_key + other_row(j));
    }
#pragma unroll
    for (int part = 0; part < Sums<W>::kParts; ++part) {
#pragma unroll
      for (int j = 0; j < 4; ++j) sums.at[i][part][j] *= shrink;
    }
  }
}

template <class T, int W>
__global__ void __launch_bounds__(kTileThreads, 2)
    attention_forward(AttentionRules rules, const T* __restrict__ qkv, T* __restrict__ o,
                      float* __restrict__ lse) {
  auto& shared = shared_memory<ForwardShared<W>>();
  const TextTile tile = tile_of_slot(rules.offsets, rules.text_count, kTile, int(blockIdx.x));
  if (tile.is_none()) return;
  const int head = int(blockIdx.y), column = int(blockIdx.z) * W, width = rules.width;
  const int key_head = head / (rules.heads / rules.key_heads);
  const int64_t row = rules.row();
  const Rows<T> q{qkv + tile.row() * row + head * width, row, tile.rows(kTile)};
  Running running;
  Sums<W> sums;
  uint32_t keys[kOwn];
#pragma unroll
  for (int i = 0; i < kOwn; ++i) keys[i] = rules.key_of(tile.text, head, tile.first + own_row(i));
  const Range reach = reach_of(tile, kTile, kTile, rules.before, rules.after);
  for (int first = reach.begin; first < reach.end; first += kTile) {
    const int count = min(kTile, tile.tokens - first);
    const T* from = qkv + (tile.begin + first) * row + (rules.heads + key_head) * width;
    const Rows<T> k{from, row, count}, v{from + rules.key_heads * width, row, count};
    float s[kOwn][kOther] = {};
    for (int part = 0; part < width; part += W) {
      __syncthreads();  // q, k, v, distances and weights of before read -> overwritten
      if (width > W || first == reach.begin) load_tile(shared.q, q, part, width);
      load_tile(shared.k, k, part, width);
      if (part == 0) {
        load_tile(shared.v, v, column, width);
        shared.distances.fill(rules, head, first - tile.first - (kTile - 1), 1, 1.0f);
      }
      __syncthreads();  // q, k, v and distances written -> read by all
      add_products(s, shared.q, shared.k, min(W, width - part));
    }
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
#pragma unroll
      for (int j = 0; j < kOther; ++j) {
        s[i][j] = s[i][j] * rules.scale + shared.distances.at(rules, own_row(i), other_row(j));
      }
    }
    weigh(rules, running, sums, shared.weights, s, tile, first, keys);
    __syncwarp();  // weights written -> read by the lanes of their row
    sums.add_weighted(shared.weights, shared.v, count, width - column);
  }
  float factors[kOwn];
#pragma unroll
  for (int i = 0; i < kOwn; ++i) {
    const float sum = row_sum(running.sum[i]);
    factors[i] = 1.0f / sum;
    const bool is_mine = own_row(i) < q.count && lane_of_tile() == 0 && column == 0;
    if (lse && is_mine) {
      lse[(tile.row() + own_row(i)) * rules.heads + head] = running.largest[i] + logf(sum);
    }
  }
  const int64_t out = int64_t(rules.heads) * width;
  sums.store(o + tile.row() * out + head * width, out, q.count, column, width, factors);
}

}  // namespace
}  // namespace inbatch::cuda
