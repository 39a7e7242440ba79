// Contrastive softmax, forward. Contract: ops/contrast.h, ContrastForward.
//
// Grid (groups of columns x tiles of rows), 128 threads: a block has 64 rows and walks over the 32
// tiles of a group of columns; what it has seen of a row lies in scratch, where its leading thread
// keeps it. A second kernel puts the groups of a row together, in their order. So the bits of a row
// follow from the columns alone. The scores of a tile live in registers. Limited by arithmetic:
// 2 N M E operations, and for each pair one exponential.
#pragma once

#include "contrast_tiles.cuh"

namespace inbatch::cuda {

constexpr int64_t kGroupTiles = 32;  // enough blocks for a card from 2048 x 8192 on

// What a group of columns brings to a row at a width.
struct RowSoftmax {
  float most, sum, total;
};

// What of a row limit and guide removed in a group.
struct Suspect {
  float score;
  int32_t column;  // negative: none

  DEVICE bool is_better(const Suspect& other) const {
    if (other.column < 0 || column < 0) return other.column < 0;
    return score > other.score || (score == other.score && column <= other.column);
  }
};

DEVICE Suspect better_of(const Suspect& a, const Suspect& b) { return a.is_better(b) ? a : b; }

struct ForwardState {
  int64_t groups;
  RowSoftmax* softmax;          // (groups, W, N)
  int32_t* counts;              // (groups, N)
  Suspect* suspects;            // (groups, N); null: not wanted
  unsigned long long* removed;  // (rules); null: not wanted
};

// The scores of a thread's pairs, bent, and for a row what they bring to its softmax; its leading
// thread takes it.
struct TileSoftmax {
  const Dots& dots;
  const Factors& factors;
  const Bend& bend;
  const Marks& marks;

  DEVICE float bent(int i, int j) const {
    const float c = bend.clamped(factors.score(dots, i, j));
    return bend.hardened(c, marks.weighted & pair_bit(i, j));
  }
  // `before`: what the leading thread knows of the row.
  DEVICE void join_row(int i, RowSoftmax& before) const {
    float most = minus_infinity(), total = 0, sum = 0;
#pragma unroll
    for (int j = 0; j < kTileColumns; ++j) {
      if (!(marks.candidates & pair_bit(i, j))) continue;
      most = Larger2{}(most, bent(i, j));
      total += bent(i, j);
    }
    const float old = of_leader(before.most);
    most = Larger2{}(half_fold(most, Larger2{}), old);
    total = half_fold(total, Add2{});
    if (most != minus_infinity()) {
#pragma unroll
      for (int j = 0; j < kTileColumns; ++j) {
        if (marks.candidates & pair_bit(i, j)) sum += expf(bent(i, j) - most);
      }
    }
    sum = half_fold(sum, Add2{});
    before.sum = (old == minus_infinity() ? 0.0f : before.sum * expf(old - most)) + sum;
    before.total += total;
    before.most = most;
  }
};

// The best of the removed pairs of a row.
DEVICE void join_suspect(const Dots& dots, const Factors& factors, uint32_t gone, int i,
                         const PairPlace& at, Suspect* known) {
  Suspect best{0.0f, -1};
#pragma unroll
  for (int j = 0; j < kTileColumns; ++j) {
    if (!(gone & pair_bit(i, j))) continue;
    best = better_of(best, {factors.score(dots, i, j), int32_t(at.column + j)});
  }
#pragma unroll
  for (int distance = kHalf / 2; distance > 0; distance /= 2) {
    const Suspect other{__shfl_xor_sync(all_lanes, best.score, distance),
                        __shfl_xor_sync(all_lanes, best.column, distance)};
    best = better_of(best, other);
  }
  if (leads_half() && known) *known = better_of(*known, best);
}

// Where the leading thread of a row keeps what it knows.
struct RowStates {
  const ForwardState& state;
  int64_t group, widths, rows;

  DEVICE RowSoftmax& softmax(int64_t nested, int64_t row) const {
    return state.softmax[(group * widths + nested) * rows + row];
  }
  DEVICE int32_t& count(int64_t row) const { return state.counts[group * rows + row]; }
  DEVICE Suspect* suspect(int64_t row) const { return state.suspects + group * rows + row; }

  DEVICE void begin_row(int64_t row) const {
    for (int64_t nested = 0; nested < widths; ++nested) {
      softmax(nested, row) = {minus_infinity(), 0.0f, 0.0f};
    }
    count(row) = 0;
    if (state.suspects) *suspect(row) = {0.0f, -1};
  }
};

template <class T>
__global__ void __launch_bounds__(kTileThreads)
    contrast_forward(const ContrastView op, const ForwardState state) {
  auto& shared = shared_memory<ContrastShared<T>>();
  const int64_t row_tiles = tiles_of(op.rows.count), group = blockIdx.x / row_tiles;
  const int64_t first_row = blockIdx.x % row_tiles * kTile;
  const RowStates states{state, group, op.width_count, op.rows.count};
  const Bend bend(op);
  const RemovedCounts counts{state.removed};
  const int64_t my_row = first_row + tile_row();
  for (int i = 0; leads_half() && i < kTileRows && my_row + i < op.rows.count; ++i) {
    states.begin_row(my_row + i);
  }
  const int64_t end = min(tiles_of(op.columns.count), (group + 1) * kGroupTiles);
  for (int64_t tile = group * kGroupTiles; tile < end; ++tile) {
    const PairPlace first{first_row, tile * kTile};
    const PairPlace at = place_in(first.row, first.column);
    Marks marks = mark_pairs(op, at, counts);
    if (!any_candidate(shared, marks, tile)) continue;
    TileProducts<T> products;
    const uint32_t guided = guide_hits(shared, op, products, first);
    products.clear();
    for (int64_t nested = 0; nested < op.width_count; ++nested) {
      products.add(shared.products, op.rows, op.columns, first, segment_of(op, nested));
      const Dots& dots = products.dots;
      const Factors factors(op.rows, op.columns, at, nested);
      // with several widths there is neither limit nor guide
      const uint32_t gone = remove_by_score(op, dots, factors, guided, marks, at, counts);
      const TileSoftmax softmax{dots, factors, bend, marks};
#pragma unroll
      for (int i = 0; i < kTileRows; ++i) {
        const bool leads = leads_half() && at.row + i < op.rows.count;
        RowSoftmax known{minus_infinity(), 0.0f, 0.0f};
        if (leads) known = states.softmax(nested, at.row + i);
        softmax.join_row(i, known);
        if (leads) states.softmax(nested, at.row + i) = known;
        if (state.suspects) {
          join_suspect(dots, factors, gone, i, at, leads ? states.suspect(at.row + i) : nullptr);
        }
      }
    }
#pragma unroll
    for (int i = 0; i < kTileRows; ++i) {
      const int count = half_fold(__popc(marks.candidates & row_bits(i)), Add2{});
      if (leads_half() && at.row + i < op.rows.count) states.count(at.row + i) += count;
    }
  }
}

struct ForwardResult {
  float *lse, *mean;  // mean, removed and suspects: null when not wanted
  int32_t* whole_count;
  float *count, *suspects;  // one of the counts is null
};

// The outputs of a row, its groups put together in their order.
struct CloseRow {
  ForwardState state;
  ForwardResult result;
  int64_t rows, widths;

  DEVICE void operator()(int64_t row) const {
    int32_t count = 0;
    Suspect suspect{0.0f, -1};
    for (int64_t group = 0; group < state.groups; ++group) {
      count += state.counts[group * rows + row];
      if (state.suspects) suspect = better_of(suspect, state.suspects[group * rows + row]);
    }
    for (int64_t nested = 0; nested < widths; ++nested) {
      float most = minus_infinity(), sum = 0, total = 0;
      for (int64_t group = 0; group < state.groups; ++group) {
        most = Larger2{}(most, state.softmax[(group * widths + nested) * rows + row].most);
      }
      for (int64_t group = 0; group < state.groups; ++group) {
        const RowSoftmax& part = state.softmax[(group * widths + nested) * rows + row];
        total += part.total;
        if (part.most != minus_infinity()) sum += part.sum * expf(part.most - most);
      }
      const int64_t at = row * widths + nested;
      // the largest score may have passed over what is no number; the sum of scores has not
      const float lse = total != total ? total : most + logf(sum);
      result.lse[at] = count > 0 ? lse : minus_infinity();
      if (result.mean) result.mean[at] = count > 0 ? total / float(count) : 0.0f;
    }
    if (result.whole_count) result.whole_count[row] = count;
    if (result.count) result.count[row] = float(count);
    if (!result.suspects) return;
    result.suspects[2 * row] = float(suspect.column);
    result.suspects[2 * row + 1] = suspect.score;
  }
};

struct StoreRemoved {
  const unsigned long long* counts;
  float* removed;
  DEVICE void operator()(int64_t rule) const { removed[rule] = float(counts[rule]); }
};

}  // namespace inbatch::cuda
