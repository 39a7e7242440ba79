// Exact search in bf16 on every card from Ampere on. Contract: ops/topk.h; the lists: topk.cuh.
//
// Rows of the corpus are those of a tile, queries its columns, and a block walks down its part of
// the rows (tile_mma.cuh). Tiles are 128 squared with 8 warps, and 64 with 4 where queries are few
// or there are tiles of 128 for less than half of the card. A thread has 64 or 32 sums, of 8
// queries, whose limits it reads once a tile; sixteen sums are compared before anything branches.
// Lists are merged where the ring was. A block of tiles of 128 has a multiprocessor for itself and
// waits for the first stages of each: two would have 128 registers a thread, and spill 500 bytes
// (sm_80), where one has 226.
//
// 128 queries are 128 operations for a byte of the corpus, where an A100 does some 150 (312
// TFLOP/s, 2 TB/s on its data sheet): memory limits it, of more queries arithmetic. These read the
// rows again for every 128 of them, from the second cache. None of this was measured on a card.
#include "tile_mma.cuh"
#include "topk.cuh"

namespace inbatch::cuda {
namespace {

template <int tile>
struct MmaShared {
  static constexpr int warps = MmaTile<tile, false>::threads / 32;
  union {
    typename MmaTile<tile, false>::Ring ring;
    Merging merging[warps];
  };
  Limits<tile> limits;
};

// The scores of this thread, those of two rows at a time.
template <int tile, class Lists>
DEVICE void offer(const Lists& lists, const TileIds& ids,
                  const typename MmaTile<tile, false>::Sums& sum) {
  using Tile = MmaTile<tile, false>;
  static_assert(kCompared == 4 * Tile::wide);
  float limit[Tile::wide][2];
#pragma unroll
  for (int j = 0; j < Tile::wide; ++j) {
#pragma unroll
    for (int odd = 0; odd < 2; ++odd) limit[j][odd] = lists.limits.score[Tile::column_of(j, odd)];
  }
#pragma unroll
  for (int i = 0; i < Tile::tall; ++i) {
    lists.offer(
        ids, [&](int n) { return sum[i][n / 4][n % 4]; },
        [&](int n) { return limit[n / 4][n % 2]; },
        [&](int n) {
          return ScorePlace{Tile::column_of(n / 4, n % 4), Tile::row_of(i, n % 4)};
        });
  }
}

// Grid (parts x tiles of queries).
template <int tile>
__global__ void __launch_bounds__(2 * tile)
    scan_corpus(const Search search, const MmaLines queries, const MmaLines corpus) {
  using Tile = MmaTile<tile, false>;
  auto& shared = shared_memory<MmaShared<tile>>();
  const int64_t wide = (search.queries + tile - 1) / tile;
  const int64_t part = blockIdx.x / wide, first = blockIdx.x % wide * tile;
  const int thread = int(threadIdx.x), warp = thread / 32;
  const BlockLists<tile, tile, MmaShared<tile>::warps> lists(search, shared.limits, part, first);
  lists.start(thread, Tile::threads);
  __syncthreads();  // limits and counts written -> read by all
  for (int64_t row = part * tile; row < search.rows; row += search.parts * tile) {
    typename Tile::Sums sum = {};
    Tile::add_products(sum, shared.ring, corpus, queries, row, first, search.width, Nothing{});
    offer<tile>(lists, lists.ids_of(row), sum);
    __syncthreads();  // hits offered, ring read -> merged by a warp where the ring was
    lists.take_in(warp, shared.merging[warp]);
    __syncthreads();  // limits written, lists merged -> limits read by all, ring filled
  }
  lists.finish(thread, Tile::threads);
}

template <int tile>
void launch_scan(const Stream& stream, Search& search, const bf16* queries, const bf16* corpus,
                 const ScanTiles& tiles) {
  const unsigned blocks = share_out(stream, search, tiles);
  const bool is_whole = search.width % kChunk == 0;
  launch(stream, {dim3(blocks), dim3(2 * tile), sizeof(MmaShared<tile>)}, scan_corpus<tile>, search,
         MmaLines{queries, search.queries, search.width, is_whole},
         MmaLines{corpus, search.rows, search.width, is_whole});
}

}  // namespace

void scan_mma(const Stream& stream, Search& search, const bf16* queries, const bf16* corpus) {
  constexpr ScanTiles wide{128, 128, 1}, narrow{64, 64, 3};  // at a time, by their registers
  const int64_t blocks = wide.parts(search) * wide.across(search);
  if (search.queries > narrow.queries && 2 * blocks > multiprocessors()) {
    return launch_scan<128>(stream, search, queries, corpus, wide);
  }
  launch_scan<64>(stream, search, queries, corpus, narrow);
}

}  // namespace inbatch::cuda
