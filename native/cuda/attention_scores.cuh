// What tiles of scores need beside products: what distance adds, and the queries of a tile.
// Contract: ops/attention.h.
#pragma once

#include "attention_rules.cuh"
#include "row_tiles.cuh"

namespace inbatch::cuda {

// What distance adds to the scores of two tiles, by the place of the other row less that of the own
// one, from -31 to 31.
struct Distances {
  float added[2 * kTile];

  DEVICE static int index(int own, int other) { return other - own + kTile - 1; }
  // `first`: the distance from query to key at -31; `step`: 1 where the other rows are keys, else
  // -1. Whoever calls has a barrier before what all read.
  DEVICE void fill(const AttentionRules& rules, int head, int first, int step) {
    const int at = threadIdx.x;
    if (rules.adds && at < 2 * kTile - 1) added[at] = rules.added(first + step * at, head);
  }
};

// The queries of a tile in backward, by row.
struct QueryRows {
  float lse[kTile], delta[kTile];
  uint32_t key[kTile];
};

}  // namespace inbatch::cuda
