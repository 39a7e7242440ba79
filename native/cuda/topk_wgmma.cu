// Exact search in bf16 on Hopper. Contract: ops/topk.h; the lists: topk.cuh.
//
// As many blocks as the card runs at a time. A tile (tile_wgmma.cuh) has 128 rows of the corpus, 64
// of a computing group, and all of up to 256 queries, so that rows come from memory once and go
// through shared memory once; a block has every n-th of them. While scores are compared, the rows
// of the next tile are already under way. A thread has half as many sums as its tile has columns,
// two of each of its queries: sixteen are compared with their limits before anything branches.
//
// 256 queries are 256 operations for a byte of the corpus. By their data sheets (989 TFLOP/s) an
// H200 does 206 in the time of a byte (4.8 TB/s) and an H100 295 (3.35 TB/s). So with 256 queries
// an H200 can have 80 % of its bandwidth at most, an H100 all of it, and at two thirds of that rate
// 54 % and 77 %; with fewer than 206 or 295 queries bandwidth is the limit.
//
// What else there is, on paper: the queries come to every tile again, from the second cache, 32
// bytes a clock and multiprocessor at the full rate of tensor cores beside 16 of rows, as in
// products with weights; 256 x 768 of them, 384 KiB, have no place in shared memory. Comparing
// takes a thread 160 instructions, 330 of the 12,300 clocks of a tile of 768 columns; the groups do
// it at the same time, and tensor cores wait. None of this was measured on a card.
#include <algorithm>

#include "tile_wgmma.cuh"
#include "topk.cuh"

namespace inbatch::cuda {
namespace {

constexpr int kGroups = 2;

// Scores as a product: rows of the corpus by queries.
struct ScoreMatrix {
  int64_t rows, columns, depth;
};

template <int columns>
struct WgmmaShared {
  using Tile = WgmmaTile<kGroups, columns, false>;
  typename Tile::Ring ring;
  Merging merging[Tile::warps];
  Limits<columns> limits;
};

// The scores of this thread, those of eight queries at a time.
template <class Tile, class Lists>
DEVICE void offer(const Lists& lists, const TileIds& ids, const typename Tile::Sums& sum) {
#pragma unroll
  for (int first = 0; first < Tile::columns / 2; first += kCompared) {
    float2 limit[kCompared / 4];
#pragma unroll
    for (int i = 0; i < kCompared / 4; ++i) {
      const int own = Tile::column_of(first + 4 * i);
      limit[i] = *reinterpret_cast<const float2*>(&lists.limits.score[own]);
    }
    lists.offer(
        ids, [&](int n) { return sum[first + n]; },
        [&](int n) { return n % 2 == 0 ? limit[n / 4].x : limit[n / 4].y; },
        [&](int n) {
          return ScorePlace{Tile::column_of(first + n), Tile::row_of(first + n)};
        });
  }
}

// Grid (parts x tiles of queries).
template <int columns>
__global__ void __launch_bounds__(128 * (kGroups + 1), 1)
    scan_corpus(const Search search, const __grid_constant__ TensorMap corpus,
                const __grid_constant__ TensorMap queries) {
  using Tile = typename WgmmaShared<columns>::Tile;
  auto& shared = shared_memory<WgmmaShared<columns>>();
  const ScoreMatrix scores{search.rows, search.queries, search.width};
  const typename Tile::Order order(scores.rows, scores.columns);
  const int first = order.column(int(blockIdx.x)), thread = int(threadIdx.x);
  const BlockLists<columns, Tile::rows, Tile::warps> lists(search, shared.limits,
                                                           int64_t(blockIdx.x) / order.wide, first);
  lists.start(thread, Tile::threads);
  Tile::start(shared.ring);  // limits and counts written -> read by all
  if (thread < 128) {
    registers_give<40>();
    if (thread == 0) Tile::produce(shared.ring, scores, corpus, queries);
    return;
  }
  registers_take<232>();
  const int own = thread - 128, warp = own / 32;
  Turn<kRingStages> turn;
  for (int tile = int(blockIdx.x); tile < order.count; tile += int(gridDim.x)) {
    typename Tile::Sums sum;
    Tile::multiply_lines(sum, shared.ring, turn, int(search.width));
    offer<Tile>(lists, lists.ids_of(order.row(tile)), sum);
    named_barrier_sync<1>(128 * kGroups);  // hits offered -> merged by a warp
    lists.take_in(warp, shared.merging[warp]);
    named_barrier_sync<1>(128 * kGroups);  // limits and counts written -> read by all
  }
  lists.finish(own, 128 * kGroups);
}

template <int columns>
void launch_scan(const Stream& stream, Search& search, const bf16* queries, const bf16* corpus) {
  using Tile = typename WgmmaShared<columns>::Tile;
  const unsigned blocks = share_out(stream, search, {Tile::rows, columns, 1});
  const auto map_of = [&](const bf16* data, int64_t lines, int box) {
    return tensor_map(data, lines, search.width, search.width, box, kRingStep, true);
  };
  launch(stream, {dim3(blocks), dim3(Tile::threads), sizeof(WgmmaShared<columns>)},
         scan_corpus<columns>, search, map_of(corpus, search.rows, Tile::rows),
         map_of(queries, search.queries, columns));
}

// The columns of tiles that take least, of equal ones the most: by what comes to shared memory and
// is read there, as tile_choice.h has it, and by how many blocks share it.
int columns_of(const Search& search) {
  int chosen = 0;
  double least = INFINITY;
  for (const int columns : {256, 128, 64}) {
    const ScanTiles tiles{64 * kGroups, columns, 1};
    const int64_t across = tiles.across(search), blocks = tiles.parts(search) * across;
    const double cost =
        double(across) * (256 + 3 * columns) / double(std::min<int64_t>(blocks, multiprocessors()));
    if (cost >= least) continue;
    chosen = columns;
    least = cost;
  }
  return chosen;
}

}  // namespace

void scan_wgmma(const Stream& stream, Search& search, const bf16* queries, const bf16* corpus) {
  switch (columns_of(search)) {
    case 256:
      return launch_scan<256>(stream, search, queries, corpus);
    case 128:
      return launch_scan<128>(stream, search, queries, corpus);
  }
  launch_scan<64>(stream, search, queries, corpus);
}

}  // namespace inbatch::cuda
