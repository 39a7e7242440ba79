// Products with weights in bf16 on Hopper: c = a b^T. Contract: product.cuh.
//
// As many blocks as the card runs at a time, each with every n-th tile; those of a row follow one
// another, so that its rows of a stay in the second cache. One lane of the first warpgroup has the
// copy engine fill a ring of stages of 64 steps; each other warpgroup owns 64 rows of the tile and
// multiplies a stage while the one before is given back. While sums end, the copies of the next
// tile are already under way. Sums end by way of shared memory, 32 columns of a warp at a time, so
// that what goes to memory goes in 16-byte pieces of rows. The more columns a tile has the less is
// read of shared memory for each product; small tiles are for few rows.
#include "product.cuh"

#include <algorithm>

namespace inbatch::cuda {
namespace {

constexpr int kStep = 64, kStages = 4;  // a line of a step is one line of the 128-byte swizzle
constexpr int kEightLines = 8 * kStep * int(sizeof(bf16));  // from eight swizzled lines to the next
constexpr int kEnding = 32, kEndingPitch = kEnding + 8;     // columns that end at a time

template <int groups, int columns>
struct Tile {
  static constexpr int rows = 64 * groups, threads = 128 * (groups + 1), warps = 4 * groups;
  static constexpr uint32_t stage_bytes = (rows + columns) * kStep * sizeof(bf16);

  struct alignas(1024) Stage {
    bf16 a[rows * kStep], b[columns * kStep];
  };
  struct alignas(1024) Shared {
    Stage stage[kStages];
    float ending[warps][16][kEndingPitch];
    Mbarrier full[kStages], empty[kStages];  // bytes that came; warps that are done
  };
};

// The tiles of a block, one after another.
template <class Tile, int columns>
struct Tiles {
  int64_t wide, count;

  DEVICE explicit Tiles(const Product<bf16>& product)
      : wide((product.columns + columns - 1) / columns),
        count((product.rows + Tile::rows - 1) / Tile::rows * wide) {}
  DEVICE int64_t row(int64_t tile) const { return tile / wide * Tile::rows; }
  DEVICE int64_t column(int64_t tile) const { return tile % wide * columns; }
};

// Which stage of the ring a step uses, and how often the ring has been around.
struct Turn {
  int stage = 0;
  uint32_t parity = 0;
  DEVICE void advance() {
    if (++stage < kStages) return;
    stage = 0;
    parity ^= 1;
  }
};

template <class Tile, int columns>
DEVICE void produce(typename Tile::Shared& shared, const Product<bf16>& product, const TensorMap& a,
                    const TensorMap& b) {
  const Tiles<Tile, columns> tiles(product);
  Turn turn;
  bool first = true;  // stages that nobody has used yet
  for (int64_t tile = blockIdx.x; tile < tiles.count; tile += gridDim.x) {
    for (int64_t k = 0; k < product.depth; k += kStep) {
      auto& stage = shared.stage[turn.stage];
      if (!first) mbarrier_wait(shared.empty[turn.stage], turn.parity ^ 1);
      mbarrier_arrive_expect(shared.full[turn.stage], Tile::stage_bytes);
      tensor_load(stage.a, a, shared.full[turn.stage], int(k), int(tiles.row(tile)));
      tensor_load(stage.b, b, shared.full[turn.stage], int(k), int(tiles.column(tile)));
      turn.advance();
      first = first && turn.stage != 0;
    }
  }
}

// The sums of a tile. A stage is given back when the next one is being multiplied.
template <class Tile, int columns>
DEVICE void add_products(float (&sum)[columns / 2], typename Tile::Shared& shared, Turn& turn,
                         int group, int64_t depth) {
  const bool tells = threadIdx.x % 32 == 0;
  int before = 0;
  for (int64_t k = 0; k < depth; k += kStep) {
    const auto& stage = shared.stage[turn.stage];
    mbarrier_wait(shared.full[turn.stage], turn.parity);
    wgmma_fence();
#pragma unroll
    for (int step = 0; step < kStep; step += 16) {
      const uint64_t a = matrix_descriptor(stage.a + group * 64 * kStep + step, 16, kEightLines);
      const uint64_t b = matrix_descriptor(stage.b + step, 16, kEightLines);
      wgmma<columns>(sum, a, b, k + step > 0);
    }
    wgmma_commit();
    if (k > 0) {
      wgmma_wait<1>();
      if (tells) mbarrier_arrive(shared.empty[before]);  // this warp has read the stage before
    }
    before = turn.stage;
    turn.advance();
  }
  wgmma_wait<0>();
  if (tells) mbarrier_arrive(shared.empty[before]);
}

// The sums of a warp, 16 rows from `row` on.
template <int columns>
DEVICE void end_sums(const Product<bf16>& product, const float (&sum)[columns / 2],
                     float (&ending)[16][kEndingPitch], int64_t row, int64_t column, bool whole) {
  const int lane = int(threadIdx.x) % 32;
#pragma unroll 1
  for (int part = 0; part < columns / kEnding; ++part) {
    // Registers have no index: each part has stores of its own.
#pragma unroll
    for (int own = 0; own < columns / kEnding; ++own) {
      if (own != part) continue;
#pragma unroll
      for (int j = 0; j < kEnding / 2; ++j) {
        ending[lane / 4 + j % 4 / 2 * 8][j / 4 * 8 + lane % 4 * 2 + j % 2] =
            sum[own * (kEnding / 2) + j];
      }
    }
    __syncwarp();  // sums written -> read along their rows
#pragma unroll 1
    for (int own = lane; own < 16 * kEnding / 8; own += 32) {
      const int at = own % (kEnding / 8) * 8, line = own / (kEnding / 8);
      const int64_t first = column + part * kEnding + at;
      if (row + line >= product.rows || first >= product.columns) continue;
      product.end_eight(row + line, first, &ending[line][at], whole);
    }
    __syncwarp();  // sums read -> overwritten by the next part
  }
}

template <int groups, int columns>
__global__ void __launch_bounds__(128 * (groups + 1), 1)
    product_of_rows(const Product<bf16> product, bool whole_c, const __grid_constant__ TensorMap a,
                    const __grid_constant__ TensorMap b) {
  using Its = Tile<groups, columns>;
  auto& shared = shared_memory<typename Its::Shared>();
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < kStages; ++stage) {
      mbarrier_init(shared.full[stage], 1);
      mbarrier_init(shared.empty[stage], Its::warps);
    }
    mbarrier_init_fence();
  }
  __syncthreads();  // mbarriers initialised -> used by all
  if (threadIdx.x < 128) {
    if constexpr (groups > 1) registers_give<40>();
    if (threadIdx.x == 0) produce<Its, columns>(shared, product, a, b);
    return;
  }
  if constexpr (groups > 1) registers_take<232>();
  const int group = int(threadIdx.x) / 128 - 1, warp = int(threadIdx.x) / 32 - 4;
  const Tiles<Its, columns> tiles(product);
  Turn turn;
  for (int64_t tile = blockIdx.x; tile < tiles.count; tile += gridDim.x) {
    float sum[columns / 2];
    add_products<Its, columns>(sum, shared, turn, group, product.depth);
    end_sums<columns>(product, sum, shared.ending[warp], tiles.row(tile) + 16 * warp,
                      tiles.column(tile), whole_c);
  }
}

int64_t tiles_of(const Product<bf16>& product, int64_t rows, int64_t columns) {
  return ((product.rows + rows - 1) / rows) * ((product.columns + columns - 1) / columns);
}

template <int groups, int columns>
void launch_tiles(const Stream& stream, const Product<bf16>& product) {
  using Its = Tile<groups, columns>;
  const int64_t tiles = tiles_of(product, Its::rows, columns);
  const auto blocks = unsigned(std::min<int64_t>(tiles, multiprocessors()));
  const TensorMap a =
      tensor_map(product.a, product.rows, product.depth, product.depth, Its::rows, kStep, true);
  const TensorMap b =
      tensor_map(product.b, product.columns, product.depth, product.depth, columns, kStep, true);
  launch(stream, {dim3(blocks), dim3(Its::threads), sizeof(typename Its::Shared)},
         product_of_rows<groups, columns>, product, product.ends_whole(), a, b);
}

}  // namespace

void multiply_rows_wgmma(const Stream& stream, const Product<bf16>& product) {
  const int64_t card = multiprocessors();
  if (tiles_of(product, 128, 256) >= card) return launch_tiles<2, 256>(stream, product);
  if (tiles_of(product, 128, 128) >= card) return launch_tiles<2, 128>(stream, product);
  launch_tiles<1, 64>(stream, product);
}

}  // namespace inbatch::cuda
