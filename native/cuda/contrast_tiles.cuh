// A tile of 64 rows against 64 columns of a contrastive softmax: which of its pairs are candidates,
// and their scores. Contract: ops/contrast.h. The tile is that of tile.cuh: a thread has 8 x 4
// pairs, a bit for each in its marks, and the 16 threads of half a warp share 8 rows.
//
// Products of 16 bits are those of every card (tile_mma.cuh) on Hopper too: its own are not written
// here, for all rules for candidates would have to be said a second time over its layout of sums.
#pragma once

#include "../ops/contrast.h"
#include "sums.cuh"
#include "tile.cuh"
#include "tile_mma.cuh"

namespace inbatch::cuda {

DEVICE float minus_infinity() { return __uint_as_float(0xff800000u); }

constexpr int kHalf = kTile / kTileColumns;  // threads that share rows
static_assert(kHalf == 16 && kTileRows * kTileColumns == 32);

// One of the two sets of vectors. The factors of a pair multiply its dot product to the score.
struct Vectors {
  const float* x;
  int64_t count, width;
  const float* factor;  // (widths, count)
  const bf16* rounded;  // as x, where products are of 16 bits
};

// An op as kernels read it.
struct ContrastView {
  Vectors rows, columns, guide_rows, guide_columns;  // a guide's x is null where there is none
  const float* temperature;
  const int32_t *owner, *widths;
  int64_t width_count;
  Candidates candidates;
  float lowest, highest, hardness;
  bool bends, weighs_own, weighs_others;
  const int32_t *list_offsets, *list_keys, *column_keys, *row_set, *column_set;
  int64_t lists, keys;
  const float *limit, *guide_limit;

  // Of a rule in the counts.
  DEVICE int64_t set_rule() const { return lists; }
  DEVICE int64_t limit_rule() const { return lists + 1; }
  DEVICE int64_t guide_rule() const { return lists + 2; }
};

// The columns [begin, begin + count) that a width adds to the ones before.
struct Segment {
  int64_t begin, count;
};

DEVICE int64_t clamped_width(const ContrastView& op, int64_t nested) {
  if (nested < 0) return 0;
  if (!op.widths) return op.rows.width;
  const int64_t width = op.widths[nested];
  return width < 0 ? 0 : width < op.rows.width ? width : op.rows.width;
}

DEVICE Segment segment_of(const ContrastView& op, int64_t nested) {
  const int64_t begin = clamped_width(op, nested - 1), end = clamped_width(op, nested);
  return {begin, end > begin ? end - begin : 0};
}

// What becomes of a score; the bounds are in units of scores.
struct Bend {
  bool bends;
  float lowest, highest, gain;

  DEVICE explicit Bend(const ContrastView& op) : bends(op.bends) {
    const double temperature = double(op.temperature[0]);
    const float one = float(double(op.lowest) / temperature);
    const float two = float(double(op.highest) / temperature);
    lowest = one < two ? one : two;
    highest = one < two ? two : one;
    gain = float(double(op.hardness) * temperature);
  }
  // What is no number stays so.
  DEVICE float clamped(float x) const {
    if (!bends) return x;
    return x < lowest ? lowest : x > highest ? highest : x;
  }
  DEVICE float hardened(float c, bool is_weighted) const {
    return bends && is_weighted ? c + gain * c : c;
  }
};

// Where the pairs of a thread lie.
struct PairPlace {
  int64_t row, column;  // of the first
};

DEVICE PairPlace place_in(int64_t first_row, int64_t first_column) {
  return {first_row + tile_row(), first_column + tile_column()};
}

DEVICE uint32_t pair_bit(int i, int j) { return 1u << (i * kTileColumns + j); }
DEVICE uint32_t row_bits(int i) { return ((1u << kTileColumns) - 1) << (i * kTileColumns); }

// Of the pairs of a thread: candidates, those that no rule removes, and those that hardness weighs.
struct Marks {
  uint32_t candidates, kept, weighted;
};

// Counts the pairs that a rule removes; null: nobody asks. Whole warps come.
struct RemovedCounts {
  unsigned long long* of_rule;

  DEVICE void add(int64_t rule, uint32_t gone) const {
    if (!of_rule) return;
    const unsigned count = __reduce_add_sync(all_lanes, unsigned(__popc(gone)));
    if (count > 0 && threadIdx.x % 32 == 0) {
      atomicAdd(&of_rule[rule], static_cast<unsigned long long>(count));
    }
  }
};

DEVICE void remove_pairs(Marks& marks, uint32_t hits, const RemovedCounts& counts, int64_t rule) {
  const uint32_t gone = hits & marks.candidates & ~marks.kept;
  marks.candidates &= ~gone;
  counts.add(rule, gone);
}

// Keys from 2^24 on and negative ones equal nothing.
DEVICE bool is_key(int32_t key) { return key >= 0 && key < 1 << 24; }

DEVICE uint32_t list_hits(const ContrastView& op, int64_t list, const PairPlace& at) {
  int32_t keys[kTileColumns];
#pragma unroll
  for (int j = 0; j < kTileColumns; ++j) {
    const int64_t column = at.column + j;
    keys[j] = column < op.columns.count ? op.column_keys[list * op.columns.count + column] : -1;
  }
  uint32_t hits = 0;
  for (int i = 0; i < kTileRows && at.row + i < op.rows.count; ++i) {
    const int32_t* ends = op.list_offsets + list * (op.rows.count + 1) + at.row + i;
    const int64_t begin = ends[0] < 0 ? 0 : ends[0], end = ends[1] < op.keys ? ends[1] : op.keys;
    for (int64_t n = begin; n < end; ++n) {
      const int32_t wanted = op.list_keys[n];
#pragma unroll
      for (int j = 0; j < kTileColumns; ++j) {
        if (wanted == keys[j] && is_key(wanted)) hits |= pair_bit(i, j);
      }
    }
  }
  return hits;
}

DEVICE uint32_t set_hits(const ContrastView& op, const PairPlace& at) {
  uint32_t hits = 0;
  for (int j = 0; j < kTileColumns && at.column + j < op.columns.count; ++j) {
    const int32_t set = op.column_set[at.column + j];
    for (int i = 0; i < kTileRows && at.row + i < op.rows.count; ++i) {
      const bool is_same = is_key(set) && op.row_set[at.row + i] == set;
      if (!is_same) hits |= pair_bit(i, j);
    }
  }
  return hits;
}

// Marks by class, then by all rules that need no score.
DEVICE Marks mark_pairs(const ContrastView& op, const PairPlace& at, const RemovedCounts& counts) {
  Marks marks{0, 0, 0};
  for (int j = 0; j < kTileColumns && at.column + j < op.columns.count; ++j) {
    const int64_t column = at.column + j, owner = op.owner[column];
#pragma unroll
    for (int i = 0; i < kTileRows; ++i) {
      if (at.row + i >= op.rows.count) continue;
      const bool is_owned = owner == at.row + i, is_hard = column >= op.candidates.positives;
      if (op.candidates.admits(column, is_owned)) marks.candidates |= pair_bit(i, j);
      if (is_owned && !is_hard) marks.kept |= pair_bit(i, j);
      const bool is_weighted = is_owned ? op.weighs_own && is_hard : op.weighs_others;
      if (is_weighted) marks.weighted |= pair_bit(i, j);
    }
  }
  for (int64_t list = 0; list < op.lists; ++list) {
    remove_pairs(marks, op.keys > 0 ? list_hits(op, list, at) : 0, counts, list);
  }
  if (op.row_set) remove_pairs(marks, set_hits(op, at), counts, op.set_rule());
  return marks;
}

// The dot products of a tile, of operands of type T.
template <class T>
struct TileProducts;

using Dots = float[kTileRows][kTileColumns];

template <class T>
struct ContrastShared {
  typename TileProducts<T>::Shared products;
  int32_t met[2][kTileThreads / 32];  // whether a warp has candidates, by turns
};

// Whether any thread of the block has a candidate; `turn` counts the calls.
template <class T>
DEVICE bool any_candidate(ContrastShared<T>& shared, const Marks& marks, int64_t turn) {
  auto& met = shared.met[turn % 2];
  const bool here = __any_sync(all_lanes, marks.candidates != 0);
  if (threadIdx.x % 32 == 0) met[threadIdx.x / 32] = here;
  __syncthreads();  // met: written above -> read below; the other turn's read -> written next time
  bool any = false;
  for (int warp = 0; warp < kTileThreads / 32; ++warp) any = any || met[warp] != 0;
  return any;
}

// By ordinary arithmetic.
template <>
struct TileProducts<float> {
  using Shared = TileShared<float>;
  Dots dots;

  DEVICE void clear() {
#pragma unroll
    for (int i = 0; i < kTileRows; ++i) {
#pragma unroll
      for (int j = 0; j < kTileColumns; ++j) dots[i][j] = 0.0f;
    }
  }
  // Adds the products of some columns of the vectors. All threads of the block come.
  DEVICE void add(Shared& shared, const Vectors& rows, const Vectors& columns,
                  const PairPlace& first, Segment part) {
    const TileLines<float> a{rows.x + part.begin, rows.count, rows.width};
    const TileLines<float> b{columns.x + part.begin, columns.count, columns.width};
    __syncthreads();  // tiles: read by the products before -> written by these
    add_products<false>(dots, shared, a, b, first.row, first.column, part.count);
  }
};

// By tensor cores, whose sums go by way of shared memory to the threads that judge them.
template <>
struct TileProducts<bf16> {
  using Tile = MmaTile<kTile, false>;
  static_assert(Tile::threads == kTileThreads);
  union Shared {
    typename Tile::Ring ring;
    float sums[kTile][kTile + 8];
  };
  typename Tile::Sums sum;
  Dots dots;

  DEVICE void clear() {
    Tile::for_each_sum(sum, [](int, int, float& x) { x = 0.0f; });
  }
  DEVICE void add(Shared& shared, const Vectors& rows, const Vectors& columns,
                  const PairPlace& first, Segment part) {
    const MmaLines a{rows.rounded + part.begin, rows.count, rows.width, rows.width % kChunk == 0};
    const MmaLines b{columns.rounded + part.begin, columns.count, columns.width,
                     columns.width % kChunk == 0};
    __syncthreads();  // sums: read by the call before -> overwritten by the ring
    Tile::add_products(sum, shared.ring, a, b, first.row, first.column, part.count, Nothing{});
    __syncthreads();  // ring: read by all -> overwritten by the sums
    Tile::for_each_sum(sum, [&](int i, int j, float x) { shared.sums[i][j] = x; });
    __syncthreads();  // sums: written above -> read below
#pragma unroll
    for (int i = 0; i < kTileRows; ++i) {
#pragma unroll
      for (int j = 0; j < kTileColumns; ++j) {
        dots[i][j] = shared.sums[tile_row() + i][tile_column() + j];
      }
    }
  }
};

// The factors of the pairs of a thread at a width.
struct Factors {
  float row[kTileRows], column[kTileColumns];

  DEVICE Factors(const Vectors& rows, const Vectors& columns, const PairPlace& at, int64_t nested) {
#pragma unroll
    for (int i = 0; i < kTileRows; ++i) {
      const int64_t row = at.row + i;
      this->row[i] = row < rows.count ? rows.factor[nested * rows.count + row] : 0.0f;
    }
#pragma unroll
    for (int j = 0; j < kTileColumns; ++j) {
      const int64_t column = at.column + j;
      this->column[j] =
          column < columns.count ? columns.factor[nested * columns.count + column] : 0.0f;
    }
  }
  // The same bits wherever it is asked.
  DEVICE float score(const Dots& dots, int i, int j) const {
    return dots[i][j] * column[j] * row[i];
  }
};

// The pairs whose score lies above the limit of their row.
DEVICE uint32_t above_limit(const Dots& dots, const Factors& factors, const float* limit,
                            int64_t count, const PairPlace& at) {
  uint32_t hits = 0;
#pragma unroll
  for (int i = 0; i < kTileRows; ++i) {
    if (at.row + i >= count) continue;
    const float most = limit[at.row + i];
#pragma unroll
    for (int j = 0; j < kTileColumns; ++j) {
      if (factors.score(dots, i, j) > most) hits |= pair_bit(i, j);
    }
  }
  return hits;
}

// What the guide removes, before the scores themselves are computed in the same registers.
template <class T>
DEVICE uint32_t guide_hits(ContrastShared<T>& shared, const ContrastView& op,
                           TileProducts<T>& products, const PairPlace& first) {
  if (!op.guide_limit) return 0;
  products.clear();
  products.add(shared.products, op.guide_rows, op.guide_columns, first, {0, op.guide_rows.width});
  const PairPlace at = place_in(first.row, first.column);
  const Factors factors(op.guide_rows, op.guide_columns, at, 0);
  return above_limit(products.dots, factors, op.guide_limit, op.rows.count, at);
}

// Removes what limit and guide remove; returns those pairs.
DEVICE uint32_t remove_by_score(const ContrastView& op, const Dots& dots, const Factors& factors,
                                uint32_t guided, Marks& marks, const PairPlace& at,
                                const RemovedCounts& counts) {
  const uint32_t before = marks.candidates;
  if (op.limit) {
    const uint32_t hits = above_limit(dots, factors, op.limit, op.rows.count, at);
    remove_pairs(marks, hits, counts, op.limit_rule());
  }
  if (op.guide_limit) remove_pairs(marks, guided, counts, op.guide_rule());
  return before & ~marks.candidates;
}

// Over the half warp that shares rows, in every thread the same bits.
template <class T, class Fold>
DEVICE T half_fold(T value, const Fold& fold) {
#pragma unroll
  for (int distance = kHalf / 2; distance > 0; distance /= 2) {
    value = fold(value, __shfl_xor_sync(all_lanes, value, distance));
  }
  return value;
}
DEVICE bool leads_half() { return threadIdx.x % kHalf == 0; }
// What the first thread of the half warp has.
template <class T>
DEVICE T of_leader(T value) {
  return __shfl_sync(all_lanes, value, int(threadIdx.x) % 32 / kHalf * kHalf);
}

}  // namespace inbatch::cuda
