// Attention on ordinary cores, backward: a block per tile of queries for dq and the buckets, one
// per tile of keys for dk and dv. Contract: ops/attention.h.
//
// A block has 32 rows of its own and meets 32 at a time; a thread has two own rows, eight
// elements of each of their products and an eighth of the columns of their sums. The two kernels
// compute scores and dout . v each for itself, seven products for five, so that every element has
// one writer and nothing of (T, T) is kept. Limited by arithmetic and the reads of shared memory,
// as forward is; what is met is read once for 32 own rows.
#pragma once

#include "attention_scores.cuh"
#include "row_tiles.cuh"

namespace inbatch::cuda {
namespace {

template <int W>
struct BackwardShared {
  Tile<W> own, own_other, met,
      met_other;           // q and dout, k and v: the block's own and those it meets
  Square weights, slopes;  // after dropout; gradients of the scores
  QueryRows<kTile> queries;
  Distances<kTile, kTile> distances;
  float diagonals[2 * kTile];
};

// A weight after dropout, and the gradient of its score.
struct Weight {
  float kept, slope;
};

// `query` and `key`: places; `at`: the query's row of its tile; s, dp: q . k and dout . v.
DEVICE Weight weight_of(const AttentionRules& rules, const TextTile& text,
                        const QueryRows<kTile>& queries, int at, int query, int key, float score,
                        float dp) {
  const bool is_seen = query < text.tokens && key < text.tokens && rules.sees(query, key);
  if (!is_seen) return {0.0f, 0.0f};
  const float weight = expf(score - queries.lse[at]);
  const float kept = rules.kept(queries.key[at], key);
  return {weight * kept, weight * (dp * kept - queries.delta[at])};
}

// Both products of two tiles, by W columns at a time: s = own . met, dp = own_other . met_other.
// Loads the tiles; what `also` loads beside them is there when all have returned.
template <int W, class T, class Also>
DEVICE void multiply_tiles(BackwardShared<W>& shared, const Rows<T>& own, const Rows<T>& own_other,
                           const Rows<T>& met, const Rows<T>& met_other, int width, bool is_first,
                           float (&s)[kOwn][kOther], float (&dp)[kOwn][kOther], Also also) {
  for (int part = 0; part < width; part += W) {
    __syncthreads();  // all that was read of before -> overwritten
    if (width > W || is_first) {
      load_tile(shared.own, own, part, width);
      load_tile(shared.own_other, own_other, part, width);
    }
    load_tile(shared.met, met, part, width);
    load_tile(shared.met_other, met_other, part, width);
    if (part == 0) also();
    __syncthreads();  // tiles written -> read by all
    add_products(s, shared.own, shared.met, min(W, width - part));
    add_products(dp, shared.own_other, shared.met_other, min(W, width - part));
  }
}

// dq of a tile of queries, and its share of the buckets.
template <class T, int W>
__global__ void __launch_bounds__(kTileThreads, 2)
    attention_backward_queries(AttentionRules rules, Gradients<T> given) {
  auto& shared = shared_memory<BackwardShared<W>>();
  const int head = int(blockIdx.y), column = int(blockIdx.z) * W, width = rules.width;
  const TextTile tile = tile_of_slot(rules.offsets, rules.text_count, kTile, int(blockIdx.x));
  float* buckets = begin_buckets(rules, given, head);
  if (tile.is_none()) return;
  const int key_head = head / (rules.heads / rules.key_heads), rows = tile.rows(kTile);
  const int64_t row = rules.row(), out = int64_t(rules.heads) * width;
  const Rows<T> q{given.qkv + tile.row() * row + head * width, row, rows};
  const Rows<T> dout{given.dout + tile.row() * out + head * width, out, rows};
  Sums<W> dq;
  const Range reach = reach_of(tile, kTile, kTile, rules.before, rules.after);
  for (int first = reach.begin; first < reach.end; first += kTile) {
    const int count = min(kTile, tile.tokens - first);
    const int distance = first - tile.first - (kTile - 1);
    const T* from = given.qkv + (tile.begin + first) * row + (rules.heads + key_head) * width;
    const Rows<T> k{from, row, count}, v{from + rules.key_heads * width, row, count};
    const bool is_first = first == reach.begin;
    float s[kOwn][kOther] = {}, dp[kOwn][kOther] = {};
    multiply_tiles(shared, q, dout, k, v, width, is_first, s, dp, [&] {
      shared.distances.fill(rules, head, distance, 1, 1.0f);
      if (is_first) shared.queries.fill(rules, given, tile, head, tile.first, 1.0f);
    });
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
#pragma unroll
      for (int j = 0; j < kOther; ++j) {
        const float score =
            s[i][j] * rules.scale + shared.distances.at(rules, own_row(i), other_row(j));
        shared.slopes.at[own_row(i)][other_row(j)] =
            weight_of(rules, tile, shared.queries, own_row(i), tile.first + own_row(i),
                      first + other_row(j), score, dp[i][j])
                .slope;
      }
    }
    if (width > W) {
      __syncthreads();  // the last columns of k read -> overwritten by the block's own
      load_tile(shared.met, k, column, width);
      __syncthreads();  // k written -> read by all
    }
    __syncwarp();  // slopes written -> read by the lanes of their row
    dq.add_weighted(shared.slopes, shared.met, count, width - column);
    if (buckets) {
      add_buckets<kTile, kTile>(rules, buckets, &shared.slopes.at[0][0], kTile + kPad,
                                shared.diagonals, distance);
    }
  }
  const float factors[kOwn] = {rules.scale, rules.scale};
  dq.store(given.dqkv + tile.row() * row + head * width, row, rows, column, width, factors);
}

// dk and dv of a tile of keys: over the heads that they serve in order, and over the queries that
// see them in order.
template <class T, int W>
__global__ void __launch_bounds__(kTileThreads, 2)
    attention_backward_keys(AttentionRules rules, Gradients<T> given) {
  auto& shared = shared_memory<BackwardShared<W>>();
  const TextTile tile = tile_of_slot(rules.offsets, rules.text_count, kTile, int(blockIdx.x));
  if (tile.is_none()) return;
  const int key_head = int(blockIdx.y), column = int(blockIdx.z) * W, width = rules.width;
  const int group = rules.heads / rules.key_heads, rows = tile.rows(kTile);
  const int64_t row = rules.row(), out = int64_t(rules.heads) * width;
  const int64_t at_k = tile.row() * row + (rules.heads + key_head) * width;
  const int64_t at_v = at_k + rules.key_heads * width;
  const Rows<T> k{given.qkv + at_k, row, rows}, v{given.qkv + at_v, row, rows};
  Sums<W> dk, dv;
  const Range reach = reach_of(tile, kTile, kTile, rules.after, rules.before);
  for (int head = key_head * group; head < (key_head + 1) * group; ++head) {
    for (int first = reach.begin; first < reach.end; first += kTile) {
      const int count = min(kTile, tile.tokens - first);
      const int64_t from = int64_t(tile.begin) + first;
      const Rows<T> q{given.qkv + from * row + head * width, row, count};
      const Rows<T> dout{given.dout + from * out + head * width, out, count};
      const bool is_first = head == key_head * group && first == reach.begin;
      float s[kOwn][kOther] = {}, dp[kOwn][kOther] = {};
      multiply_tiles(shared, k, v, q, dout, width, is_first, s, dp, [&] {
        shared.distances.fill(rules, head, tile.first - first + (kTile - 1), -1, 1.0f);
        shared.queries.fill(rules, given, tile, head, first, 1.0f);
      });
#pragma unroll
      for (int i = 0; i < kOwn; ++i) {
#pragma unroll
        for (int j = 0; j < kOther; ++j) {
          const float score =
              s[i][j] * rules.scale + shared.distances.at(rules, own_row(i), other_row(j));
          const Weight weight =
              weight_of(rules, tile, shared.queries, other_row(j), first + other_row(j),
                        tile.first + own_row(i), score, dp[i][j]);
          shared.weights.at[own_row(i)][other_row(j)] = weight.kept;
          shared.slopes.at[own_row(i)][other_row(j)] = weight.slope;
        }
      }
      if (width > W) {
        __syncthreads();  // the last columns of q and dout read -> overwritten by the block's own
        load_tile(shared.met, q, column, width);
        load_tile(shared.met_other, dout, column, width);
        __syncthreads();  // q and dout written -> read by all
      }
      __syncwarp();  // weights and slopes written -> read by the lanes of their row
      dk.add_weighted(shared.slopes, shared.met, count, width - column);
      dv.add_weighted(shared.weights, shared.met_other, count, width - column);
    }
  }
  const float factors[kOwn] = {rules.scale, rules.scale}, ones[kOwn] = {1.0f, 1.0f};
  dk.store(given.dqkv + at_k, row, rows, column, width, factors);
  dv.store(given.dqkv + at_v, row, rows, column, width, ones);
}

// Leaves in the first slot of each text the sum of all of its slots, in their order. Grid
// (N, B H / 128): a thread has an element.
__global__ void __launch_bounds__(kTileThreads, 2)
    sum_slots(const int32_t* __restrict__ offsets, float* __restrict__ buckets, int elements,
              int tile) {
  const int text = int(blockIdx.x), at = int(blockIdx.y) * kTileThreads + int(threadIdx.x);
  if (at >= elements) return;
  const int first = offsets[text] / tile + text, last = offsets[text + 1] / tile + text + 1;
  float sum = buckets[int64_t(first) * elements + at];
  for (int slot = first + 1; slot < last; ++slot) sum += buckets[int64_t(slot) * elements + at];
  buckets[int64_t(first) * elements + at] = sum;
}

// Adds the texts to dbias one after another: a thread has an element.
__global__ void __launch_bounds__(kTileThreads, 2)
    add_texts(const int32_t* __restrict__ offsets, const float* __restrict__ buckets,
              float* __restrict__ dbias, int texts, int elements, int tile) {
  const int at = int(blockIdx.x) * kTileThreads + int(threadIdx.x);
  if (at >= elements) return;
  float sum = dbias[at];
#pragma unroll 8
  for (int text = 0; text < texts; ++text) {
    sum += buckets[(int64_t(offsets[text]) / tile + text) * elements + at];
  }
  dbias[at] = sum;
}

}  // namespace
}  // namespace inbatch::cuda
