// Products with weights in bf16 on Hopper. Contract: product.cuh.
//
// As many blocks as the card runs at a time, each with every n-th tile (tile_wgmma.cuh); tiles of a
// row follow one another, so that its rows of a stay in the second cache. While sums end, the
// copies of the next tile are already under way. Sums of rows end by way of shared memory, 32
// columns of a warp at a time, so that what goes to memory goes in 16-byte pieces of rows; those of
// columns begin with what is there and end from registers, for their walk over all rows is long.
// A thread of a computing group has half as many sums as its tile has columns. Limited by the
// tensor cores: a byte that comes into shared memory serves 85 operations in tiles of 128 x 256, 77
// in 128 x 192, 64 in 128 x 128 and 32 in 64 x 64. The residual is not added here but by the norm
// (norm.cu). Tiles of 128 rows where they fill the card, of the width that costs least
// (tile_choice.h), and of 64 x 64 where not; rows of a small depth by groups that take turns, where
// that costs less (product_turns.cuh). All of them give the same bits.
//
// No LayerNorm ends them; on paper: a block would own whole rows. 128 rows of C = 384 are 192 of a
// thread's 232 registers, and a stage is 64 KB, so three fit: possible, for this width alone. 768
// and 1024 want clusters of 2 and 4 blocks that share row sums, whose rows of a come to each again.
// Saved are 8 C bytes a token and layer in encoding with norms behind (sums written and read, twice
// a layer) of some 52 C, and 4 C where backward or a residual reads the sums. At 3 TB/s that is 6
// ns a token of MiniLM, beside 40 ns of products at 560 TFLOP/s; 25 beside 290 of BERT-base.
#include <algorithm>

#include "product_turns.cuh"

namespace inbatch::cuda {
namespace {

template <class Tile>
struct RowsShared {
  typename Tile::Ring ring;
  Ending ending[Tile::warps];
};

template <int groups, int columns>
__global__ void __launch_bounds__(128 * (groups + 1), 1)
    product_of_rows(const Product<bf16> product, bool whole_c, const __grid_constant__ TensorMap a,
                    const __grid_constant__ TensorMap b) {
  using Tile = WgmmaTile<groups, columns, false>;
  auto& shared = shared_memory<RowsShared<Tile>>();
  Tile::start(shared.ring);
  if (threadIdx.x < 128) {
    if constexpr (groups > 1) registers_give<40>();
    if (threadIdx.x == 0) Tile::produce(shared.ring, product, a, b);
    return;
  }
  if constexpr (groups > 1) registers_take<232>();
  const int warp = int(threadIdx.x) / 32 - 4;
  const typename Tile::Order order(product.rows, product.columns);
  Turn<kRingStages> turn;
  for (int tile = int(blockIdx.x); tile < order.count; tile += int(gridDim.x)) {
    typename Tile::Sums sum;
    Tile::multiply_lines(sum, shared.ring, turn, int(product.depth));
    end_sums<columns>(product, sum, shared.ending[warp], order.row(tile) + 16 * warp,
                      order.column(tile), whole_c);
  }
}

template <class Tile>
struct ColumnsShared {
  typename Tile::Ring ring;
  alignas(1024) bf16 ones[8 * 64];
};

// The sums of the columns of a beside the products: a product with ones.
struct Totals {
  float (&sum)[4];
  uint64_t ones;
  DEVICE void operator()(uint64_t a) const { wgmma<8, false, true>(sum, a, ones, true); }
};

template <int groups, int columns>
__global__ void __launch_bounds__(128 * (groups + 1), 1)
    product_of_columns(const Product<bf16, float> product, float* totals,
                       const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b) {
  using Tile = WgmmaTile<groups, columns, true>;
  auto& shared = shared_memory<ColumnsShared<Tile>>();
  for (int i = int(threadIdx.x); i < 8 * 64; i += Tile::threads) shared.ones[i] = bf16(1.0f);
  fence_async_proxy();
  Tile::start(shared.ring);  // ones written -> read by the tensor cores too
  if (threadIdx.x < 128) {
    if constexpr (groups > 1) registers_give<40>();
    if (threadIdx.x == 0) Tile::produce(shared.ring, product, a, b);
    return;
  }
  if constexpr (groups > 1) registers_take<232>();
  const uint64_t ones = matrix_descriptor(shared.ones, 16, Tile::eight_lines);
  const typename Tile::Order order(product.rows, product.columns);
  Turn<kRingStages> turn;
  for (int tile = int(blockIdx.x); tile < order.count; tile += int(gridDim.x)) {
    const int row = order.row(tile), column = order.column(tile);
    typename Tile::Sums sum;
#pragma unroll
    for (int j = 0; j < columns / 2; ++j) {
      sum[j] = product.begin(row + Tile::row_of(j), column + Tile::column_of(j));
    }
    if (totals && column == 0) {
      float total[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int64_t own = row + Tile::row_of(j);
        total[j] = own < product.rows ? totals[own] : 0.0f;
      }
      Tile::add_products(sum, shared.ring, turn, int(product.depth), Totals{total, ones});
#pragma unroll
      for (int j = 0; j < 4; j += 2) {
        const int64_t own = row + Tile::row_of(j);
        if (own < product.rows && threadIdx.x % 4 == 0) totals[own] = total[j];
      }
    } else {
      Tile::add_products(sum, shared.ring, turn, int(product.depth), NothingBeside{});
    }
#pragma unroll
    for (int j = 0; j < columns / 2; ++j) {
      const int64_t own = row + Tile::row_of(j), at = column + Tile::column_of(j);
      if (own < product.rows && at < product.columns)
        product.c[own * product.columns + at] = sum[j];
    }
  }
}

template <class Tile, class Out>
Extent extent_of(const Product<bf16, Out>& product, size_t shared) {
  const int tiles = typename Tile::Order(product.rows, product.columns).count;
  const auto blocks = unsigned(std::min(tiles, multiprocessors()));
  return {dim3(blocks), dim3(Tile::threads), shared};
}

// Lines of `pitch` elements, cut into boxes of 64 of them, `box` lines each.
TensorMap map_of(const bf16* data, int64_t lines, int64_t pitch, int box) {
  return tensor_map(data, lines, pitch, pitch, box, 64, true);
}

template <int groups, int columns>
void launch_tiles(const Stream& stream, const Product<bf16>& product, float*) {
  using Tile = WgmmaTile<groups, columns, false>;
  launch(stream, extent_of<Tile>(product, sizeof(RowsShared<Tile>)),
         product_of_rows<groups, columns>, product, product.ends_whole(),
         map_of(product.a, product.rows, product.depth, Tile::rows),
         map_of(product.b, product.columns, product.depth, columns));
}

template <int groups, int columns>
void launch_tiles(const Stream& stream, const Product<bf16, float>& product, float* totals) {
  using Tile = WgmmaTile<groups, columns, true>;
  launch(stream, extent_of<Tile>(product, sizeof(ColumnsShared<Tile>)),
         product_of_columns<groups, columns>, product, totals,
         map_of(product.a, product.depth, product.rows, kRingStep),
         map_of(product.b, product.depth, product.columns, kRingStep));
}

void launch_turns(const Stream& stream, const Product<bf16>& product) {
  const int64_t each = blocks_of_columns(product.rows, product.columns, multiprocessors());
  const auto blocks = unsigned(tiles_across(product.columns, kHeldColumns) * each);
  launch(stream, {dim3(blocks), dim3(kTurnThreads), sizeof(TurnShared)}, product_of_rows_in_turns,
         product, product.ends_whole(), map_of(product.a, product.rows, product.depth, kTurnRows),
         map_of(product.b, product.columns, product.depth, kHeldColumns));
}

template <class Out>
void choose_tiles(const Stream& stream, const Product<bf16, Out>& product, float* totals) {
  switch (columns_of_tiles(product.rows, product.columns, multiprocessors())) {
    case 256:
      return launch_tiles<2, 256>(stream, product, totals);
    case 192:
      return launch_tiles<2, 192>(stream, product, totals);
    case 128:
      return launch_tiles<2, 128>(stream, product, totals);
  }
  launch_tiles<1, 64>(stream, product, totals);
}

}  // namespace

void multiply_rows_wgmma(const Stream& stream, const Product<bf16>& product) {
  if (takes_turns(product.rows, product.columns, product.depth, multiprocessors())) {
    return launch_turns(stream, product);
  }
  choose_tiles(stream, product, nullptr);
}

void multiply_columns_wgmma(const Stream& stream, const Product<bf16, float>& product,
                            float* totals) {
  choose_tiles(stream, product, totals);
}

}  // namespace inbatch::cuda
