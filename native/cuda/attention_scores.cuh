// What tiles of scores need beside products: what distance adds, the queries of a tile, and the
// gradients of buckets. Contract: ops/attention.h.
#pragma once

#include "attention_rules.cuh"

namespace inbatch::cuda {
namespace {

constexpr int kScoreThreads = 128;  // work on a tile of scores: a block, or a warp group of one

// What distance adds to the scores of a tile of `own` rows and one of `met`, by the place of the
// met row less that of the own one.
template <int own, int met>
struct Distances {
  static constexpr int kCount = own + met - 1;
  float added[kCount];

  DEVICE static int index(int own_row, int met_row) { return met_row - own_row + own - 1; }
  // `first`: the distance from query to key at the first; `step`: 1 where the met rows are keys,
  // else -1. Whoever calls has a barrier before what all read.
  DEVICE void fill(const AttentionRules& rules, int head, int first, int step, float unit) {
    const int at = int(threadIdx.x) % kScoreThreads;
    if (rules.adds && at < kCount) added[at] = rules.added(first + step * at, head) * unit;
  }
  DEVICE float at(const AttentionRules& rules, int own_row, int met_row) const {
    return rules.adds ? added[index(own_row, met_row)] : 0.0f;
  }
};

// What backward reads of tensors. T is the type of qkv, dout and dqkv.
template <class T>
struct Gradients {
  const T *qkv, *dout;
  const float *lse, *delta;
  T* dqkv;
  float* buckets;  // (slots, B, H) gradients of the buckets of each tile of queries, or null
};

// What backward needs of a query.
struct QueryRow {
  float lse, delta;
  uint32_t key;
};

// The same of the queries of a tile.
template <int rows>
struct QueryRows {
  float lse[rows], delta[rows];
  uint32_t key[rows];

  // The queries from `first` on. Whoever calls has a barrier before what all read.
  template <class T>
  DEVICE void fill(const AttentionRules& rules, const Gradients<T>& given, const TextTile& text,
                   int head, int first, float unit) {
    const int row = int(threadIdx.x), query = first + row;
    if (row >= rows || query >= text.tokens) return;
    const int64_t at = (int64_t(text.begin) + query) * rules.heads + head;
    lse[row] = given.lse[at] * unit;
    delta[row] = given.delta[at];
    key[row] = rules.key_of(text.text, head, query);
  }
  DEVICE void set(int row, const QueryRow& query) {
    lse[row] = query.lse;
    delta[row] = query.delta;
    key[row] = query.key;
  }
  DEVICE QueryRow at(int row) const { return {lse[row], delta[row], key[row]}; }
};

// The gradients of a slot's buckets, which begin at zero; null when none are asked for, or not of
// this block.
template <class T>
DEVICE float* begin_buckets(const AttentionRules& rules, const Gradients<T>& given, int head) {
  if (!given.buckets || blockIdx.z > 0) return nullptr;
  float* buckets = given.buckets + int64_t(blockIdx.x) * rules.buckets.count * rules.heads + head;
  for (int b = int(threadIdx.x); b < rules.buckets.count; b += int(blockDim.x)) {
    buckets[b * rules.heads] = 0.0f;
  }
  return buckets;
}

// Adds the gradients of the scores of two tiles to the buckets of their distances: a thread sums a
// diagonal from its first query on, then one sums the diagonals of a bucket by rising distance.
template <int own, int met>
DEVICE void add_buckets(const AttentionRules& rules, float* buckets, const float* slopes, int pitch,
                        float (&diagonals)[own + met], int first_distance) {
  constexpr int kCount = own + met - 1;
  __syncthreads();  // slopes written -> read by all; diagonals of before read -> overwritten
  const int diagonal = int(threadIdx.x), shift = diagonal - (own - 1);
  if (diagonal < kCount) {
    float sum = 0.0f;
    for (int row = max(0, -shift); row < min(own, met - shift); ++row) {
      sum += slopes[row * pitch + row + shift];
    }
    diagonals[diagonal] = sum;
  }
  __syncthreads();  // diagonals written -> read by all
  for (int bucket = int(threadIdx.x); bucket < rules.buckets.count; bucket += int(blockDim.x)) {
    float sum = buckets[bucket * rules.heads];
    for (int at = 0; at < kCount; ++at) {
      if (rules.buckets.of(first_distance + at) == bucket) sum += diagonals[at];
    }
    buckets[bucket * rules.heads] = sum;
  }
}

}  // namespace
}  // namespace inbatch::cuda
