// What the kernels of exact search share. Contract: ops/topk.h.
//
// A block has a tile of queries and every n-th tile of the rows. A score that beats the limit of
// its query, the worst of the list that the block keeps, is put among the hits that wait while it
// still lies in a register, so scores are never in memory. Once many wait, a warp merges them into
// the list. The lists of all blocks and what waits at the end meet in merge_lists.
#pragma once

#include "hits.cuh"

namespace inbatch::cuda {

constexpr int kWaiting = 64;   // of more than so many hits, those that wait are merged
constexpr int kCompared = 16;  // scores of a thread, before anything branches

// The lowest bit that is set.
DEVICE int lowest(uint32_t bits) { return __popc(~bits & (bits - 1)); }

// What a block leaves of a query: the side on which its list is, and how many hits wait.
struct Left {
  int32_t side, waiting;
};

// A search of some rows by some queries. Blocks of the same rows follow one another, so that these
// come from memory once.
struct Search {
  int64_t rows, queries, width;
  int64_t depth, base;  // places of a list; id of the first row
  float* scores;        // (Q, depth)
  int32_t* ids;         // (Q, depth)

  int64_t parts;  // of the rows: a block has the tiles of one
  int64_t room;   // for hits that wait
  Hit* lists;     // (parts, 2, Q, depth): a list, and where it is merged to
  Hit* waiting;   // (parts, Q, room)
  Left* left;     // (parts, Q)

  DEVICE Hit result(int64_t query, int64_t place) const {
    return {scores[query * depth + place], ids[query * depth + place]};
  }
  DEVICE Hit* list(int64_t part, int side, int64_t query) const {
    return lists + ((part * 2 + side) * queries + query) * depth;
  }
  DEVICE Hit* waiting_of(int64_t part, int64_t query) const {
    return waiting + (part * queries + query) * room;
  }
};

// What a hit of each of a block's queries must beat, and how its list stands.
template <int queries>
struct Limits {
  alignas(16) float score[queries];
  int32_t id[queries];
  int32_t waiting[queries], side[queries];
};

// A tile of rows: the id of the first of them, and how many there are.
struct TileIds {
  int32_t first;
  int count;
};

// Where a score stands: its query among those of the block, its row in the tile.
struct ScorePlace {
  int own, row;
};

// The lists of a block, whose queries are those from `first` on; of a tile up to `rows` hits of a
// query may come.
template <int queries, int rows, int warps>
struct BlockLists {
  static_assert(queries <= 32 * warps);
  static constexpr int room = kWaiting + rows;
  const Search& search;
  Limits<queries>& limits;
  int64_t part, first;
  Hit* waiting;  // of the first query

  DEVICE BlockLists(const Search& search, Limits<queries>& limits, int64_t part, int64_t first)
      : search(search),
        limits(limits),
        part(part),
        first(first),
        waiting(search.waiting_of(part, first)) {}

  DEVICE Hit* list(int side, int own) const { return search.list(part, side, first + own); }
  DEVICE TileIds ids_of(int64_t row) const {
    return {int32_t(search.base + row), int(min(search.rows - row, int64_t(rows)))};
  }

  // Lists of nothing. Some threads come together; this is one of them.
  DEVICE void start(int thread, int threads) const {
    const int64_t left = search.queries - first, count = left < queries ? left : queries;
    for (int own = thread; own < queries; own += threads) {
      // nothing beats the limit of a query that is none
      const Hit none{INFINITY, -1};
      const Hit worst = own < count ? search.result(first + own, search.depth - 1) : none;
      limits.score[own] = worst.score;
      limits.id[own] = worst.id;
      limits.waiting[own] = limits.side[own] = 0;
    }
    Hit* lists = list(0, 0);
    for (int64_t i = thread; i < count * search.depth; i += threads) lists[i] = no_hit();
  }

  // Puts those of a thread's scores that pass the limits among the hits that wait. score(n),
  // limit(n) and place(n) are of the n-th score; of the first two n is known when this is compiled,
  // for registers have no index.
  template <class Score, class Limit, class Places>
  DEVICE void offer(const TileIds& ids, const Score& score, const Limit& limit,
                    const Places& place) const {
    bool has_hit = false;
#pragma unroll
    for (int n = 0; n < kCompared; ++n) has_hit |= score(n) >= limit(n);
    if (!has_hit) return;
    uint32_t hits = 0;
#pragma unroll
    for (int n = 0; n < kCompared; ++n) hits |= uint32_t(score(n) >= limit(n)) << n;
    for (; hits != 0; hits &= hits - 1) {
      const int found = lowest(hits);
      float value = 0;
#pragma unroll
      for (int n = 0; n < kCompared; ++n) value = n == found ? score(n) : value;
      put(place(found), ids, value);
    }
  }

  // A score that is not below limits.score of its query.
  DEVICE void put(const ScorePlace& at, const TileIds& ids, float score) const {
    const Hit hit{score, ids.first + at.row}, limit{limits.score[at.own], limits.id[at.own]};
    if (at.row >= ids.count || !is_better(hit, limit)) return;
    waiting[at.own * room + atomicAdd(&limits.waiting[at.own], 1)] = hit;
  }

  // Merges where many hits wait: each warp those of its own queries.
  DEVICE void take_in(int warp, Merging& merging) const {
    const int own = warp + warps * lane_id();
    const bool has_many = own < queries && limits.waiting[own] > kWaiting;
    const uint32_t lanes = __ballot_sync(all_lanes, has_many);
    for (uint32_t left = lanes; left != 0; left &= left - 1) {
      merge(warp + warps * lowest(left), merging);
    }
  }

  DEVICE void merge(int own, Merging& merging) const {
    const Hit* hits = waiting + own * room;
    const int count = limits.waiting[own];
    int side = limits.side[own];
    for (int begin = 0; begin < count; begin += kFresh) {
      const int fresh = min(kFresh, count - begin);
      for (int i = lane_id(); i < fresh; i += 32) merging.fresh[i] = hits[begin + i];
      merge_hits(merging, list(1 - side, own), list(side, own), search.depth, fresh);
      side = 1 - side;
    }
    if (lane_id() > 0) return;
    limits.side[own] = side;
    limits.waiting[own] = 0;
    const Hit worst = list(side, own)[search.depth - 1];
    if (worst.id < 0) return;
    limits.score[own] = worst.score;
    limits.id[own] = worst.id;
  }

  // Says what is left. Some threads come together; this is one of them.
  DEVICE void finish(int thread, int threads) const {
    Left* left = search.left + part * search.queries + first;
    for (int own = thread; own < queries && first + own < search.queries; own += threads) {
      left[own] = {limits.side[own], limits.waiting[own]};
    }
  }
};

// The tiles of a kernel, and how many of its blocks a multiprocessor has at a time.
struct ScanTiles {
  int rows, queries, blocks;

  int64_t across(const Search& search) const { return (search.queries + queries - 1) / queries; }
  int64_t parts(const Search& search) const;
};

// Gives the blocks of a launch their parts and scratch.
unsigned share_out(const Stream& stream, Search& search, const ScanTiles& tiles);

// Fill in the lists of `search` by the rows of a corpus of bf16; by wgmma lines of whole pieces of
// 16 bytes.
void scan_mma(const Stream& stream, Search& search, const bf16* queries, const bf16* corpus);
void scan_wgmma(const Stream& stream, Search& search, const bf16* queries, const bf16* corpus);

}  // namespace inbatch::cuda
