// Exact search. Contract: ops/topk.h.
//
// Two kernels. In the first a block has 64 queries and a stretch of the corpus, of which it
// computes 64 rows of scores at a time as plain tiles (tile.cuh); a score that beats the worst of
// its query's list is put beside the list while it still lies in a register, so scores are never in
// memory. Once more than 64 hits wait, a warp merges them into the list. The blocks of a stretch
// follow one another, so the corpus comes from memory once for all queries. In the second kernel a
// warp merges the lists of a query into the result. Arithmetic limits the first; with less than 64
// queries much of it is idle.
//
// The corpus is of f32, and there is no search of bf16. 64 queries are 32 operations for each byte
// of the corpus and 256 are 128, where a card does some 20 in f32 in the time of a byte (H100 on
// its data sheet): this kernel cannot come near the bandwidth of a card.
#include "../ops/topk.h"

#include <algorithm>

#include "hits.cuh"
#include "tile.cuh"

namespace inbatch::cuda {
namespace {

constexpr int kWarps = kTileThreads / 32;
constexpr int kWaiting = kFresh - kTile;         // a tile adds up to 64 hits to those that wait
constexpr int64_t kMostHits = int64_t(1) << 24;  // of all lists together: 128 MiB
constexpr int64_t kMostQueries = 4096;           // of one launch

struct Search {
  TileLines<float> queries, corpus;
  int64_t width, depth;   // of a vector; of a list
  int64_t base, stretch;  // id of the first row; rows of a block
  float* scores;          // (Q, depth)
  int32_t* ids;           // (Q, depth)
  Hit* lists;             // (stretches, 2, Q, depth): a list, and where it is merged to
  Hit* fresh;             // (stretches, Q, kFresh)

  DEVICE Hit result(int64_t query, int64_t place) const {
    return {scores[query * depth + place], ids[query * depth + place]};
  }
  DEVICE Hit* list(int64_t part, int side, int64_t query) const {
    return lists + ((part * 2 + side) * queries.count + query) * depth;
  }
};

struct Shared {
  TileShared<float> tile;
  Merging merging[kWarps];
  Hit limit[kTile];  // what a hit of a query must beat
  int waiting[kTile], side[kTile];
};

// The list of query `own` of the block takes in what waits.
DEVICE void take_in(Shared& shared, const Search& op, int64_t part, int64_t first, int own) {
  const int64_t query = first + own;
  const int lane = int(threadIdx.x) % 32, side = shared.side[own], count = shared.waiting[own];
  Hit* merged = op.list(part, 1 - side, query);
  merge_hits(shared.merging[threadIdx.x / 32], merged, op.list(part, side, query), op.depth,
             op.fresh + (part * op.queries.count + query) * kFresh, count);
  if (lane > 0) return;
  shared.side[own] = 1 - side;
  shared.waiting[own] = 0;
  const Hit worst = merged[op.depth - 1];
  if (worst.id >= 0) shared.limit[own] = worst;
}

DEVICE void start_lists(Shared& shared, const Search& op, int64_t part, int64_t first) {
  const int lane = int(threadIdx.x) % 32;
  for (int own = int(threadIdx.x) / 32; own < kTile; own += kWarps) {
    if (first + own >= op.queries.count) break;
    Hit* list = op.list(part, 0, first + own);
    for (int64_t i = lane; i < op.depth; i += 32) list[i] = no_hit();
    if (lane > 0) continue;
    shared.limit[own] = op.result(first + own, op.depth - 1);
    shared.waiting[own] = shared.side[own] = 0;
  }
}

// Scores of this thread that beat the limit of their query join those that wait.
DEVICE void offer(Shared& shared, const Search& op, int64_t part, int64_t first, int64_t row,
                  const float (&score)[kTileRows][kTileColumns]) {
  Hit* fresh = op.fresh + (part * op.queries.count + first) * kFresh;
  const int64_t at = row + tile_column(), left = op.corpus.count - at;
  const auto id = int32_t(op.base + at);
#pragma unroll
  for (int i = 0; i < kTileRows; ++i) {
    const int own = tile_row() + i;
    if (first + own >= op.queries.count) break;
    const Hit limit = shared.limit[own];
#pragma unroll
    for (int j = 0; j < kTileColumns; ++j) {
      const Hit hit{score[i][j], id + j};
      if (j >= left || !is_better(hit, limit)) continue;
      fresh[own * kFresh + atomicAdd(&shared.waiting[own], 1)] = hit;
    }
  }
}

// Grid (stretches x tiles of queries), 128 threads.
__global__ void __launch_bounds__(kTileThreads) scan_corpus(Search op) {
  auto& shared = shared_memory<Shared>();
  const int64_t wide = (op.queries.count + kTile - 1) / kTile;
  const int64_t part = blockIdx.x / wide, first = blockIdx.x % wide * kTile;
  const int64_t begin = part * op.stretch, warp = threadIdx.x / 32;
  const int64_t end = begin + op.stretch < op.corpus.count ? begin + op.stretch : op.corpus.count;
  start_lists(shared, op, part, first);
  __syncthreads();  // limits and counts written -> read by all
  for (int64_t row = begin; row < end; row += kTile) {
    float score[kTileRows][kTileColumns] = {};
    add_products<false>(score, shared.tile, op.queries, op.corpus, first, row, op.width);
    offer(shared, op, part, first, row, score);
    __syncthreads();  // hits offered -> merged by a warp; stages read -> written for the next rows
    for (int own = int(warp); own < kTile && first + own < op.queries.count; own += kWarps) {
      if (shared.waiting[own] > kWaiting) take_in(shared, op, part, first, own);
      __syncwarp();  // limits and counts read by the lanes -> written
    }
    __syncthreads();  // limits and counts written -> read by all
  }
  for (int own = int(warp); own < kTile && first + own < op.queries.count; own += kWarps) {
    take_in(shared, op, part, first, own);
    __syncwarp();  // side written by lane 0 -> read by the lanes
    if (shared.side[own] == 0) continue;
    const int lane = int(threadIdx.x) % 32;
    const Hit* from = op.list(part, 1, first + own);
    Hit* to = op.list(part, 0, first + own);
    for (int64_t i = lane; i < op.depth; i += 32) to[i] = from[i];
  }
}

// Grid (Q / 4), 128 threads: a warp merges the lists of all stretches into the result of a query.
// Only what beats the worst of the result is looked at, so most lists end after a few hits.
__global__ void __launch_bounds__(kTileThreads)
    merge_lists(Search op, Hit* results, int64_t parts) {
  auto& shared = shared_memory<Shared>();
  Merging& merging = shared.merging[threadIdx.x / 32];
  const int64_t query = int64_t(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (query >= op.queries.count) return;
  const int lane = int(threadIdx.x) % 32;
  const int64_t depth = op.depth;
  Hit* sides[2] = {results + 2 * query * depth, results + (2 * query + 1) * depth};
  int side = 0;
  for (int64_t i = lane; i < depth; i += 32) sides[0][i] = op.result(query, i);
  __syncwarp();  // result written -> read by all lanes
  for (int64_t part = 0; part < parts; ++part) {
    const Hit* list = op.list(part, 0, query);
    for (int64_t at = 0; at < depth; at += kFresh) {
      const int64_t left = depth - at < kFresh ? depth - at : kFresh;
      const int count = int(count_better(list + at, left, sides[side][depth - 1]));
      if (count == 0) break;
      merge_hits(merging, sides[1 - side], sides[side], depth, list + at, count);
      side = 1 - side;
    }
  }
  for (int64_t i = lane; i < depth; i += 32) {
    op.scores[query * depth + i] = sides[side][i].score;
    op.ids[query * depth + i] = sides[side][i].id;
  }
}

Hit* hits_of(const Stream& stream, int64_t count) {
  static_assert(sizeof(Hit) == 8);
  return static_cast<Hit*>(stream.scratch().push(size_t(count) * sizeof(Hit)));
}

// As many stretches as keep the card busy and the lists small; never part of a tile.
int64_t stretch_of(const Search& op) {
  const int64_t hits = op.queries.count * (2 * op.depth + kFresh);
  const int64_t wanted = 1 + 4 * multiprocessors() / tiles_of(op.queries.count);
  const int64_t parts = std::clamp(kMostHits / hits, int64_t(1), wanted);
  return (tiles_of(op.corpus.count) + parts - 1) / parts * kTile;
}

void search(const Stream& stream, Search op) {
  const Scope scope(stream.scratch());
  op.stretch = stretch_of(op);
  const int64_t parts = (op.corpus.count + op.stretch - 1) / op.stretch;
  op.lists = hits_of(stream, parts * 2 * op.queries.count * op.depth);
  op.fresh = hits_of(stream, parts * op.queries.count * kFresh);
  Hit* results = hits_of(stream, 2 * op.queries.count * op.depth);
  launch(
      stream,
      {dim3(blocks_of(parts * tiles_of(op.queries.count), 1)), dim3(kTileThreads), sizeof(Shared)},
      scan_corpus, op);
  launch(stream, {dim3(blocks_of(op.queries.count, kWarps)), dim3(kTileThreads), sizeof(Shared)},
         merge_lists, op, results, parts);
}

}  // namespace

template <>
void run<TopK>(const Stream& stream, const TopK& op) {
  const int64_t depth = op.scores.cols, width = op.queries.cols;
  if (depth == 0 || op.corpus.rows == 0) return;
  const int64_t most =
      std::clamp(kMostHits / (2 * depth + kFresh) / kTile * kTile, int64_t(kTile), kMostQueries);
  for (int64_t first = 0; first < op.queries.rows; first += most) {
    const int64_t count = std::min(most, op.queries.rows - first);
    const Tensor queries = op.queries.slice(first, count);
    Search part{{queries.f32(), count, width}, {op.corpus.f32(), op.corpus.rows, width}};
    part.width = width;
    part.depth = depth;
    part.base = op.base;
    part.scores = op.scores.slice(first, count).f32();
    part.ids = op.ids.slice(first, count).i32();
    search(stream, part);
  }
}

}  // namespace inbatch::cuda
