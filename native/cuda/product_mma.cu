// Products with weights in bf16 on every card from Ampere on. Contract: product.cuh.
//
// Grid (tiles): those of a row follow one another, so that its rows of a stay in the second cache,
// where a weight stays anyway. Tiles are 128 squared with 8 warps where these fill the card, else
// 64 with 4. Sums begin in registers; those of rows end by way of shared memory, so that what goes
// to memory goes as whole rows of 16-byte pieces. A thread has 64 sums of a tile of 128, 32 of one
// of 64.
//
// A byte that comes from the second cache serves 64 operations in tiles of 128, 32 in those of 64.
// From memory an operand comes once where it fits there: with many rows and a weight of C x C these
// are C / 2 operations a byte, and by their data sheets tensor cores do 150 (A100) to 300 (H100) in
// the time of one, so they limit it from some hundreds of columns on; below, memory does.
#include "product.cuh"
#include "tile_mma.cuh"

namespace inbatch::cuda {
namespace {

template <int tile>
struct Place {
  int64_t row, column;

  DEVICE explicit Place(int64_t columns) {
    const int64_t wide = (columns + tile - 1) / tile;
    row = blockIdx.x / wide * tile;
    column = blockIdx.x % wide * tile;
  }
};

template <class Tile>
DEVICE void begin_sums(typename Tile::Sums& sum, const Product<bf16, float>& product, int64_t row,
                       int64_t column) {
  Tile::for_each_sum(sum, [&](int i, int j, float& x) { x = product.begin(row + i, column + j); });
}

// A row of sums is eight floats longer than the tile, so that pairs of eight rows fall into
// different banks.
template <int tile>
union RowsShared {
  typename MmaTile<tile, false>::Ring ring;
  float sums[tile][tile + 8];
};

template <int tile>
__global__ void __launch_bounds__(2 * tile)
    product_of_rows(const Product<bf16> product, bool whole, bool whole_c) {
  using Tile = MmaTile<tile, false>;
  auto& shared = shared_memory<RowsShared<tile>>();
  const Place<tile> place(product.columns);
  typename Tile::Sums sum = {};
  const MmaLines a{product.a, product.rows, product.depth, whole};
  const MmaLines b{product.b, product.columns, product.depth, whole};
  Tile::add_products(sum, shared.ring, a, b, place.row, place.column, product.depth, Nothing{});
  __syncthreads();  // ring read by all -> overwritten by sums
  Tile::for_each_sum(sum, [&](int i, int j, float x) { shared.sums[i][j] = x; });
  __syncthreads();  // sums written -> read along their rows
  for (int own = int(threadIdx.x); own < tile * tile / 8; own += 2 * tile) {
    const int row = own / (tile / 8), column = own % (tile / 8) * 8;
    if (place.row + row >= product.rows || place.column + column >= product.columns) continue;
    product.end_eight(place.row + row, place.column + column, &shared.sums[row][column], whole_c);
  }
}

// The sums of the lines of a beside the products: a product with ones.
template <int tall>
struct Totals {
  float (&sum)[tall][4];
  bool wanted;  // of this warp

  DEVICE void operator()(int i, const uint32_t (&a)[4]) const {
    constexpr uint32_t kOnes = 0x3f803f80;
    const uint32_t ones[2] = {kOnes, kOnes};
    if (wanted) multiply(sum[i], a, ones);
  }
};

template <int tile>
__global__ void __launch_bounds__(2 * tile)
    product_of_columns(const Product<bf16, float> product, float* totals, bool whole) {
  using Tile = MmaTile<tile, true>;
  auto& ring = shared_memory<typename Tile::Ring>();
  const Place<tile> place(product.columns > 0 ? product.columns : 1);
  typename Tile::Sums sum;
  begin_sums<Tile>(sum, product, place.row, place.column);
  float total[Tile::tall][4];
  const bool adds = totals && place.column == 0 && Tile::warp_column() == 0;
#pragma unroll
  for (int i = 0; i < Tile::tall; ++i) {
#pragma unroll
    for (int part = 0; part < 4; ++part) {
      const int64_t row = place.row + Tile::row_of(i, part);
      total[i][part] = adds && row < product.rows ? totals[row] : 0.0f;
    }
  }
  const MmaLines a{product.a, product.rows, product.rows, whole};
  const MmaLines b{product.b, product.columns, product.columns, whole};
  Tile::add_products(sum, ring, a, b, place.row, place.column, product.depth,
                     Totals<Tile::tall>{total, adds});
#pragma unroll
  for (int i = 0; i < Tile::tall; ++i) {
#pragma unroll
    for (int part = 0; part < 4; ++part) {
      const int64_t row = place.row + Tile::row_of(i, part);
      if (row >= product.rows) continue;
      if (adds && part % 2 == 0 && threadIdx.x % 4 == 0) totals[row] = total[i][part];
#pragma unroll
      for (int j = 0; j < Tile::wide; ++j) {
        const int64_t column = place.column + Tile::column_of(j, part);
        if (column < product.columns) product.c[row * product.columns + column] = sum[i][j][part];
      }
    }
  }
}

int64_t tiles_of(int64_t rows, int64_t columns, int tile) {
  return ((rows + tile - 1) / tile) * ((columns + tile - 1) / tile);
}

// Whether Hopper's own kernels can have it: lines that begin whole, and fewer than the copy engine
// counts.
template <class Out>
bool suits_hopper(const Product<bf16, Out>& product, int64_t line) {
  constexpr int64_t kMost = int64_t(1) << 30;
  return device_capability() == 90 && product.starts_whole(line) && product.columns > 0 &&
         product.depth > 0 && product.depth < kMost &&
         tiles_of(product.rows, product.columns, 64) < kMost / 64;
}

bool fills_card(int64_t rows, int64_t columns) {
  return tiles_of(rows, columns, 128) >= multiprocessors();
}

template <int tile>
void launch_rows(const Stream& stream, const Product<bf16>& product) {
  launch(stream,
         {dim3(blocks_of(tiles_of(product.rows, product.columns, tile), 1)), dim3(2 * tile),
          sizeof(RowsShared<tile>)},
         product_of_rows<tile>, product, product.starts_whole(product.depth), product.ends_whole());
}

template <int tile>
void launch_columns(const Stream& stream, const Product<bf16, float>& product, float* totals) {
  const bool whole = product.rows % kChunk == 0 && product.starts_whole(product.columns);
  const int64_t columns = totals && product.columns == 0 ? 1 : product.columns;
  launch(stream,
         {dim3(blocks_of(tiles_of(product.rows, columns, tile), 1)), dim3(2 * tile),
          sizeof(typename MmaTile<tile, true>::Ring)},
         product_of_columns<tile>, product, totals, whole);
}

}  // namespace

void multiply_rows(const Stream& stream, const Product<bf16>& product) {
  if (product.rows == 0) return;
  if (suits_hopper(product, product.depth)) return multiply_rows_wgmma(stream, product);
  if (fills_card(product.rows, product.columns)) return launch_rows<128>(stream, product);
  launch_rows<64>(stream, product);
}

void multiply_columns(const Stream& stream, const Product<bf16, float>& product, float* totals) {
  if (product.rows % kChunk == 0 && suits_hopper(product, product.columns)) {
    return multiply_columns_wgmma(stream, product, totals);
  }
  if (fills_card(product.rows, product.columns)) {
    return launch_columns<128>(stream, product, totals);
  }
  launch_columns<64>(stream, product, totals);
}

}  // namespace inbatch::cuda
