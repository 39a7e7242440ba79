// Contrastive softmax, backward. Contract: ops/contrast.h, ContrastBackward.
//
// The scores are computed once for both gradients. Of some rows against some columns, as many as
// the store holds, a first kernel writes the coefficients G times both factors, a second adds their
// product with the columns to the gradient of the rows, and a third that of their transpose with
// the rows to the gradient of the columns. A sum goes on with what memory holds of it, so that it
// is one chain over all columns, or rows, whatever the store holds at a time. Tiles without
// candidates are neither written nor read.
//
// Grids are of tiles of 64 x 64, 128 threads each. Limited by arithmetic: 6 N M E operations;
// of memory each coefficient is written once and read E / 32 times, mostly from the second cache.
// Products are of f32 by ordinary arithmetic, or of operands and coefficients rounded to 16 bits by
// tensor cores.
//
// Rejected before it was written: a kernel that keeps the gradient of its rows in registers and
// recomputes scores. 64 rows of a width of 768 are all registers of a processor, and cut into
// slices of columns each slice computes all scores again.
#pragma once

#include "contrast_tiles.cuh"

namespace inbatch::cuda {

// Elements of a store: 64 MiB. Rows and columns at most: whole tiles, enough to fill a card.
constexpr int64_t kStored = int64_t(1) << 24;
constexpr int64_t kStoredLines = 4096;

// What a softmax brings to G, (W, N) each.
struct SoftmaxTerms {
  const float *lse, *dlse, *shift;
};

// The coefficients of some rows against some columns, in the type of the operands of products.
template <class T>
struct CoefficientStore {
  int64_t first_row, rows, first_column, columns;
  int64_t pitch, plane;  // from one row and one width to the next
  T* coefficients;       // null: no gradient of vectors is wanted
  uint8_t* met;          // (tiles of rows, tiles of columns): whether a tile has candidates
  // several widths, where vectors have a scale: what each tile brings to (W, tiles, vectors)
  float *along_rows, *along_columns;

  INBATCH_HOST_DEVICE int64_t column_tiles() const { return tiles_of(columns); }
  INBATCH_HOST_DEVICE int64_t row_tiles() const { return tiles_of(rows); }
};

template <class T>
struct CoefficientShared {
  ContrastShared<T> contrast;
  WarpParts<double> parts;
  float columns[kTileThreads / 32][kTile];  // of each warp
};

template <class T>
struct TileGradient {
  const ContrastView& op;
  const SoftmaxTerms& terms;
  const CoefficientStore<T>& store;
  PairPlace at;

  // Makes coefficients of dot products and stores them. Adds G c to `along`, the coefficients times
  // the dot products to `of_rows` and `of_columns`.
  DEVICE void visit(const Dots& dots, const Factors& factors, const Bend& bend, const Marks& marks,
                    int64_t nested, double& along, float (&of_rows)[kTileRows],
                    float (&of_columns)[kTileColumns]) const {
    float sum = 0;
#pragma unroll
    for (int i = 0; i < kTileRows; ++i) {
      const int64_t row = at.row + i, term = nested * op.rows.count + row;
      if (row >= op.rows.count) continue;
      const float lse = terms.lse[term], dlse = terms.dlse[term], shift = terms.shift[term];
#pragma unroll
      for (int j = 0; j < kTileColumns; ++j) {
        if (at.column + j >= op.columns.count) continue;
        const bool counts = marks.candidates & pair_bit(i, j);
        const float x = factors.score(dots, i, j), c = bend.clamped(x);
        const float below = bend.hardened(c, marks.weighted & pair_bit(i, j)) - lse;
        const float power = below > -87.0f ? expf(below) : 0.0f;
        const float g = counts ? fmaf(dlse, power, shift) : 0.0f;
        if (counts) sum = fmaf(g, c, sum);
        const float h = x > c || c > x ? 0.0f : g;
        const float coefficient = h * factors.column[j] * factors.row[i];
        if (counts) {
          of_rows[i] = fmaf(coefficient, dots[i][j], of_rows[i]);
          of_columns[j] = fmaf(coefficient, dots[i][j], of_columns[j]);
        }
        if (store.coefficients) *stored(nested, i, j) = T(coefficient);
      }
    }
    along += double(sum);
  }

  // Columns between two widths belong to all wider ones: from the widest down each plane becomes
  // the sum with those after it. A thread reads what it wrote itself.
  DEVICE void add_wider() const {
    for (int64_t nested = op.width_count - 1; nested-- > 0;) {
      for (int i = 0; i < kTileRows && at.row + i < op.rows.count; ++i) {
        for (int j = 0; j < kTileColumns && at.column + j < op.columns.count; ++j) {
          T& sum = *stored(nested, i, j);
          sum = T(float(sum) + float(*stored(nested + 1, i, j)));
        }
      }
    }
  }

  DEVICE T* stored(int64_t nested, int i, int j) const {
    const int64_t row = at.row - store.first_row + i, column = at.column - store.first_column + j;
    return store.coefficients + nested * store.plane + row * store.pitch + column;
  }

  DEVICE void store_along_rows(const float (&of_rows)[kTileRows], int64_t nested) const {
    const int64_t tile = (at.column - store.first_column) / kTile;
#pragma unroll
    for (int i = 0; i < kTileRows; ++i) {
      const float sum = half_fold(of_rows[i], Add2{});
      if (!leads_half() || at.row + i >= op.rows.count) continue;
      const int64_t row = at.row + i - store.first_row;
      store.along_rows[(nested * store.column_tiles() + tile) * store.rows + row] = sum;
    }
  }

  // All threads of the block come.
  DEVICE void store_along_columns(CoefficientShared<T>& shared,
                                  const float (&of_columns)[kTileColumns], int64_t nested) const {
    const int warp = threadIdx.x / 32;
    __syncthreads();  // columns: read for the width before -> written for this one
#pragma unroll
    for (int j = 0; j < kTileColumns; ++j) {
      const float other = __shfl_xor_sync(all_lanes, of_columns[j], kHalf);
      if (threadIdx.x % 32 < kHalf) shared.columns[warp][tile_column() + j] = of_columns[j] + other;
    }
    __syncthreads();  // columns: written by all warps -> read below
    const int64_t tile = (at.row - store.first_row) / kTile;
    const int64_t column = at.column - tile_column() - store.first_column + threadIdx.x;
    if (threadIdx.x >= kTile || column >= store.columns) return;
    float sum = 0;
    for (int other = 0; other < kTileThreads / 32; ++other) {
      sum += shared.columns[other][threadIdx.x];
    }
    store.along_columns[(nested * store.row_tiles() + tile) * store.columns + column] = sum;
  }
};

// along: by tile of all rows and all columns, the sum of G c.
template <class T>
__global__ void __launch_bounds__(kTileThreads)
    contrast_coefficients(const ContrastView op, const SoftmaxTerms terms,
                          const CoefficientStore<T> store, double* along) {
  auto& shared = shared_memory<CoefficientShared<T>>();
  const int64_t wide = store.column_tiles();
  const PairPlace first{store.first_row + blockIdx.x / wide * kTile,
                        store.first_column + blockIdx.x % wide * kTile};
  const PairPlace at = place_in(first.row, first.column);
  const RemovedCounts nobody{nullptr};
  Marks marks = mark_pairs(op, at, nobody);
  const bool is_met = any_candidate(shared.contrast, marks, 0);
  double sum = 0;
  const TileGradient<T> gradient{op, terms, store, at};
  const Bend bend(op);
  TileProducts<T> products;
  const uint32_t guided = is_met ? guide_hits(shared.contrast, op, products, first) : 0;
  products.clear();
  for (int64_t nested = 0; nested < op.width_count; ++nested) {
    float of_rows[kTileRows] = {}, of_columns[kTileColumns] = {};
    if (is_met) {
      products.add(shared.contrast.products, op.rows, op.columns, first, segment_of(op, nested));
      const Factors factors(op.rows, op.columns, at, nested);
      remove_by_score(op, products.dots, factors, guided, marks, at, nobody);
      gradient.visit(products.dots, factors, bend, marks, nested, sum, of_rows, of_columns);
    }
    if (store.along_rows) gradient.store_along_rows(of_rows, nested);
    if (store.along_columns) gradient.store_along_columns(shared, of_columns, nested);
  }
  if (is_met && store.coefficients) gradient.add_wider();
  sum = block_sum(sum, shared.parts);
  if (threadIdx.x != 0) return;
  along[first.row / kTile * tiles_of(op.columns.count) + first.column / kTile] = sum;
  store.met[blockIdx.x] = is_met;
}

// dx (lines, E) += the coefficients, or across their transpose, times the vectors of the other
// side. Grid (tiles of lines, tiles of columns, widths), 128 threads.
template <class T>
struct VectorGradient {
  ContrastView op;
  CoefficientStore<T> store;
  float* dx;      // at the first line of the store
  const T* x;     // of the other side, at its first line of the store
  int64_t pitch;  // from one column of x to the next, where x is transposed
  bool begins;    // dx holds nothing yet
};

// The products that make a tile of a gradient, of coefficients from step `k` on. x (lines, E) goes
// across; transposed, (E, pitch), it does not.
template <class T, bool across>
struct GradientTile;

template <bool across>
struct GradientTile<float, across> {
  using Shared = TileShared<float>;
  static constexpr bool is_transposed = false;
  Dots sum;

  // body(row, column, its sum) for all sums of a thread.
  template <class Body>
  DEVICE void each(const Body& body) {
#pragma unroll
    for (int i = 0; i < kTileRows; ++i) {
#pragma unroll
      for (int j = 0; j < kTileColumns; ++j) body(tile_row() + i, tile_column() + j, sum[i][j]);
    }
  }
  DEVICE void add(Shared& shared, const TileLines<float>& a, const TileLines<float>& b,
                  const PairPlace& first, int64_t depth) {
    add_products<across, true>(sum, shared, a, b, first.row, first.column, depth);
  }
};

template <bool across>
struct GradientTile<bf16, across> {
  using Tile = MmaTile<kTile, across>;
  using Shared = typename Tile::Ring;
  static constexpr bool is_transposed = !across;
  typename Tile::Sums sum;

  template <class Body>
  DEVICE void each(const Body& body) {
    Tile::for_each_sum(sum, body);
  }
  DEVICE void add(Shared& shared, const TileLines<bf16>& a, const TileLines<bf16>& b,
                  const PairPlace& first, int64_t depth) {
    const MmaLines left{a.data, a.count, a.pitch, true};
    const MmaLines right{b.data, b.count, b.pitch, b.pitch % kChunk == 0};
    Tile::add_products(sum, shared, left, right, first.row, first.column, depth, Nothing{});
  }
};

template <class T, bool across>
__global__ void __launch_bounds__(kTileThreads) add_vector_gradient(const VectorGradient<T> form) {
  using Sums = GradientTile<T, across>;
  auto& shared = shared_memory<typename Sums::Shared>();
  const CoefficientStore<T>& store = form.store;
  const int64_t nested = blockIdx.z, width = form.op.rows.width;
  const Segment part = segment_of(form.op, nested);
  const PairPlace first{int64_t(blockIdx.x) * kTile, int64_t(blockIdx.y) * kTile};
  if (first.column >= part.count) return;
  const int64_t lines = across ? store.columns : store.rows;
  const int64_t depth = across ? store.rows : store.columns, steps = tiles_of(depth);
  float* dx = form.dx + first.row * width + part.begin + first.column;
  const int64_t rows = lines - first.row, columns = part.count - first.column;
  Sums sums;
  sums.each([&](int row, int column, float& sum) {
    const bool holds = !form.begins && row < rows && column < columns;
    sum = holds ? dx[row * width + column] : 0.0f;
  });
  const auto is_met = [&](int64_t step) {
    const int64_t row = across ? step : blockIdx.x, other = across ? blockIdx.x : step;
    return store.met[row * store.column_tiles() + other] != 0;
  };
  for (int64_t step = 0; step < steps;) {
    int64_t end = step;
    while (end < steps && is_met(end)) ++end;
    if (end > step) {
      const int64_t k = step * kTile;
      const T* from = store.coefficients + nested * store.plane;
      const TileLines<T> a{from + (across ? k * store.pitch : k), lines, store.pitch};
      const TileLines<T> b =
          Sums::is_transposed
              ? TileLines<T>{form.x + part.begin * form.pitch + k, part.count, form.pitch}
              : TileLines<T>{form.x + k * width + part.begin, part.count, width};
      __syncthreads();  // shared: read by the products before -> written by these
      sums.add(shared, a, b, first, min(depth, end * kTile) - k);
    }
    step = end + 1;
  }
  sums.each([&](int row, int column, float& sum) {
    if (row < rows && column < columns) dx[row * width + column] = sum;
  });
}

// along (W, vectors) goes on with what the tiles of a store bring, in their order.
struct JoinAlong {
  float* along;
  const float* parts;  // (W, tiles, lines)
  int64_t count, first, lines, tiles;
  DEVICE void operator()(int64_t i) const {
    const int64_t nested = i / lines, line = i % lines;
    float sum = along[nested * count + first + line];
    for (int64_t tile = 0; tile < tiles; ++tile) {
      sum += parts[(nested * tiles + tile) * lines + line];
    }
    along[nested * count + first + line] = sum;
  }
};

// Grid (vectors / 8), 256 threads: a warp takes out of the gradient of a vector what lies along it.
// Of one width from the finished sum itself, so that none of its rounding is left there.
__global__ void __launch_bounds__(kRowThreads)
    take_out_along(const ContrastView op, float* dx, const float* x, const float* scale,
                   const float* along, int64_t count) {
  const int64_t row = row_of_warp(), width = op.rows.width, widths = op.width_count;
  if (row >= count) return;
  const float* vector = x + row * width;
  float* out = dx + row * width;
  if (!along) {
    float dot = 0;
    for (int64_t j = lane_of_row(); j < width; j += 32) dot = fmaf(out[j], vector[j], dot);
    const float share = warp_sum(dot) * scale[row] * scale[row];
    for (int64_t j = lane_of_row(); j < width; j += 32) out[j] -= vector[j] * share;
    return;
  }
  float share = 0;
  for (int64_t nested = widths; nested-- > 0;) {
    const float factor = scale[row * widths + nested];
    share += factor * factor * along[nested * count + row];
    const Segment part = segment_of(op, nested);
    for (int64_t j = part.begin + lane_of_row(); j < part.begin + part.count; j += 32) {
      out[j] -= vector[j] * share;
    }
  }
}

// What forward left, as the coefficients need it.
struct TermsBody {
  const float *lse, *dlse, *dmean, *count;  // dmean may be null; one of the counts is
  const int32_t* whole_count;
  float *out_lse, *out_dlse, *out_shift;
  int64_t rows, widths;
  DEVICE void operator()(int64_t i) const {
    const int64_t row = i / widths, at = i % widths * rows + row;
    const bool is_finite = fabsf(lse[i]) <= 3.4028235e38f;
    const float candidates = count ? count[row] : float(whole_count[row]);
    out_lse[at] = lse[i];
    out_dlse[at] = is_finite ? dlse[i] : __uint_as_float(0x7fc00000u);
    out_shift[at] = dmean && candidates != 0.0f ? dmean[i] / candidates : 0.0f;
  }
};

struct StoreTemperature {
  const float* temperature;
  float* dtemperature;
  DEVICE void operator()(int64_t, double sum) const {
    *dtemperature = float(-sum / double(*temperature));
  }
};

}  // namespace inbatch::cuda
