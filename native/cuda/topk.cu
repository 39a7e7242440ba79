// Exact search. Contract: ops/topk.h.
//
// The rows are searched slice by slice, each many times as long as all before it together: the
// first gives queries a limit that few later scores pass, so that comparing is all that selection
// does of the long ones. Of a slice the blocks of one kernel compute scores and keep lists
// (topk.cuh), and a warp of another puts together what they leave of a query.
//
// Here is the kernel of f32: a block has 64 queries and computes 64 rows of scores at a time as
// plain tiles (tile.cuh). Arithmetic limits it; with less than 64 queries much of it is idle. 64
// queries are 32 operations for each byte of the corpus and 256 are 128, where a card does some 20
// in f32 in the time of a byte (H100 on its data sheet): it cannot come near the bandwidth of a
// card. In bf16 tensor cores multiply (topk_mma.cu, topk_wgmma.cu).
#include "../ops/topk.h"

#include <algorithm>

#include "tile.cuh"
#include "topk.cuh"

namespace inbatch::cuda {
namespace {

constexpr int kWarps = kTileThreads / 32;
constexpr int kBlocks = 3;                       // of a multiprocessor, by their registers
constexpr int64_t kMostHits = int64_t(1) << 24;  // of all lists together: 128 MiB
constexpr int64_t kMostQueries = 4096;           // of one launch
constexpr int64_t kGrowth = 15;                  // a slice, of all before it
constexpr int kRowTile = 128;                    // a multiple of the rows of all tiles

using TileLists = BlockLists<kTile, kTile, kWarps>;

struct Shared {
  TileShared<float> tile;
  Merging merging[kWarps];
  Limits<kTile> limits;
};

// The scores of this thread, four queries at a time.
DEVICE void offer(const TileLists& lists, const TileIds& ids,
                  const float (&score)[kTileRows][kTileColumns]) {
  static_assert(kCompared == 4 * kTileColumns);
#pragma unroll
  for (int i = 0; i < kTileRows; i += 4) {
    lists.offer(
        ids, [&](int n) { return score[i + n / kTileColumns][n % kTileColumns]; },
        [&](int n) { return lists.limits.score[tile_row() + i + n / kTileColumns]; },
        [&](int n) {
          return ScorePlace{tile_row() + i + n / kTileColumns, tile_column() + n % kTileColumns};
        });
  }
}

// Grid (parts x tiles of queries), 128 threads.
__global__ void __launch_bounds__(kTileThreads, kBlocks)
    scan_corpus(const Search search, const TileLines<float> queries,
                const TileLines<float> corpus) {
  auto& shared = shared_memory<Shared>();
  const int64_t wide = (search.queries + kTile - 1) / kTile;
  const int64_t part = blockIdx.x / wide, first = blockIdx.x % wide * kTile;
  const int thread = int(threadIdx.x), warp = thread / 32;
  const TileLists lists(search, shared.limits, part, first);
  lists.start(thread, kTileThreads);
  __syncthreads();  // limits and counts written -> read by all
  for (int64_t row = part * kTile; row < search.rows; row += search.parts * kTile) {
    float score[kTileRows][kTileColumns] = {};
    add_products<false>(score, shared.tile, queries, corpus, first, row, search.width);
    offer(lists, lists.ids_of(row), score);
    __syncthreads();  // hits offered -> merged by a warp; stages read -> written for the next rows
    lists.take_in(warp, shared.merging[warp]);
    __syncthreads();  // limits and counts written -> read by all
  }
  lists.finish(thread, kTileThreads);
}

// The result of a query as it takes in hits, by a warp.
struct Result {
  Merging& merging;
  Hit* sides[2];
  int64_t depth;
  Hit worst;
  int side = 0, count = 0;

  // A hit of each lane that has one.
  DEVICE void offer(bool has_hit, const Hit& hit) {
    const bool is_taken = has_hit && is_better(hit, worst);
    const uint32_t taken = __ballot_sync(all_lanes, is_taken);
    const uint32_t before = taken & ((1u << threadIdx.x % 32) - 1);
    if (is_taken) merging.fresh[count + __popc(before)] = hit;
    count += __popc(taken);
    if (count > kFresh - 32) merge();
  }
  DEVICE void merge() {
    if (count == 0) return;
    merge_hits(merging, sides[1 - side], sides[side], depth, count);
    side = 1 - side;
    count = 0;
    worst = sides[side][depth - 1];
  }
};

struct MergeShared {
  Merging merging[kWarps];
};

// Grid (Q / 4), 128 threads: a warp merges what the blocks leave of a query into its result, a lane
// what one block leaves. A list is left where it falls behind the result, so most end after a hit
// or two.
__global__ void __launch_bounds__(kTileThreads) merge_lists(const Search search, Hit* results) {
  auto& shared = shared_memory<MergeShared>();
  const int64_t query = int64_t(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (query >= search.queries) return;
  const int lane = int(threadIdx.x) % 32;
  const int64_t depth = search.depth;
  Result result{shared.merging[threadIdx.x / 32],
                {results + 2 * query * depth, results + (2 * query + 1) * depth},
                depth,
                search.result(query, depth - 1)};
  for (int64_t i = lane; i < depth; i += 32) result.sides[0][i] = search.result(query, i);
  __syncwarp();  // result written -> read by all lanes
  for (int64_t first = 0; first < search.parts; first += 32) {
    const int64_t part = first + lane;
    const bool is_part = part < search.parts;
    const Left left = is_part ? search.left[part * search.queries + query] : Left{0, 0};
    const Hit* list = search.list(part, left.side, query);
    bool goes_on = is_part;
    for (int64_t i = 0; __any_sync(all_lanes, goes_on); ++i) {
      const Hit hit = goes_on ? list[i] : no_hit();
      goes_on = goes_on && is_better(hit, result.worst);
      result.offer(goes_on, hit);
      goes_on = goes_on && i + 1 < depth;
    }
    const Hit* waiting = search.waiting_of(part, query);
    for (int i = 0; __any_sync(all_lanes, i < left.waiting); ++i) {
      const bool is_hit = i < left.waiting;
      result.offer(is_hit, is_hit ? waiting[i] : no_hit());
    }
  }
  result.merge();
  for (int64_t i = lane; i < depth; i += 32) {
    const Hit hit = result.sides[result.side][i];
    search.scores[query * depth + i] = hit.score;
    search.ids[query * depth + i] = hit.id;
  }
}

Hit* hits_of(const Stream& stream, int64_t count) {
  static_assert(sizeof(Hit) == 8);
  return static_cast<Hit*>(stream.scratch().push(size_t(count) * sizeof(Hit)));
}

void scan(const Stream& stream, Search& search, const float* queries, const float* corpus) {
  const unsigned blocks = share_out(stream, search, {kTile, kTile, kBlocks});
  launch(stream, {dim3(blocks), dim3(kTileThreads), sizeof(Shared)}, scan_corpus, search,
         TileLines<float>{queries, search.queries, search.width},
         TileLines<float>{corpus, search.rows, search.width});
}

void scan(const Stream& stream, Search& search, const bf16* queries, const bf16* corpus) {
  constexpr int64_t kWidest = int64_t(1) << 30;  // the copy engine counts in 32 bits
  const bool is_whole = search.width > 0 && search.width % 8 == 0 && search.width < kWidest;
  if (device_capability() == 90 && is_whole) return scan_wgmma(stream, search, queries, corpus);
  scan_mma(stream, search, queries, corpus);
}

template <class T>
void search_rows(const Stream& stream, Search search, const T* queries, const T* corpus) {
  const Scope scope(stream.scratch());
  scan(stream, search, queries, corpus);
  Hit* results = hits_of(stream, 2 * search.queries * search.depth);
  launch(stream, {dim3(blocks_of(search.queries, kWarps)), dim3(kTileThreads), sizeof(MergeShared)},
         merge_lists, search, results);
}

template <class T>
void search_slices(const Stream& stream, const Search& all, const T* queries, const T* corpus) {
  // A limit needs as many rows as a list has places; some more make it a good one.
  const int64_t few = std::max<int64_t>(32 * multiprocessors(), 8 * all.depth);
  int64_t length = (few + kRowTile - 1) / kRowTile * kRowTile;
  for (int64_t begin = 0; begin < all.rows; begin += length) {
    if (begin > 0) length = kGrowth * begin;
    if (all.rows - begin < 2 * length) length = all.rows - begin;
    Search slice = all;
    slice.rows = length;
    slice.base += begin;
    search_rows(stream, slice, queries, corpus + begin * all.width);
  }
}

template <class T>
void search_queries(const Stream& stream, const TopK& op) {
  const int64_t depth = op.scores.cols;
  const int64_t most = std::clamp(kMostHits / (2 * depth + (kWaiting + kRowTile)) / kTile * kTile,
                                  int64_t(kTile), kMostQueries);
  for (int64_t first = 0; first < op.queries.rows; first += most) {
    const int64_t count = std::min(most, op.queries.rows - first);
    Search search{op.corpus.rows, count, op.queries.cols, depth, op.base};
    search.scores = op.scores.slice(first, count).f32();
    search.ids = op.ids.slice(first, count).i32();
    search_slices(stream, search, op.queries.slice(first, count).as<T>(), op.corpus.as<T>());
  }
}

}  // namespace

int64_t ScanTiles::parts(const Search& search) const {
  const int64_t lists = search.queries * (2 * search.depth + kWaiting + rows);
  const int64_t at_once = int64_t(blocks) * multiprocessors() / across(search);
  const int64_t tall = (search.rows + rows - 1) / rows;
  return std::max<int64_t>(1, std::min({tall, at_once, kMostHits / lists}));
}

unsigned share_out(const Stream& stream, Search& search, const ScanTiles& tiles) {
  search.parts = tiles.parts(search);
  search.room = kWaiting + tiles.rows;
  const int64_t lists = search.parts * search.queries;
  search.lists = hits_of(stream, 2 * lists * search.depth);
  search.waiting = hits_of(stream, lists * search.room);
  search.left = static_cast<Left*>(stream.scratch().push(size_t(lists) * sizeof(Left)));
  return blocks_of(search.parts * tiles.across(search), 1);
}

template <>
void run<TopK>(const Stream& stream, const TopK& op) {
  if (op.scores.cols == 0 || op.corpus.rows == 0) return;
  if (op.corpus.type == Type::BF16) return search_queries<bf16>(stream, op);
  search_queries<float>(stream, op);
}

}  // namespace inbatch::cuda
