// Contrastive softmax. Contract: ops/contrast.h.
//
// Rows stand in blocks, columns pass by in slabs that are packed once for all blocks; an item is a
// block against a slab, tile by tile. Forward needs no more. In backward the coefficients G of some
// blocks against the slab are stored, and when these blocks are through, the gradient of the slab's
// columns goes on by their product with the rows: the scores are computed once for both gradients,
// and each has one writer and a fixed order. Tiles without candidates are skipped. Beyond the
// operands there are the panels of a slab, the store, a tile per worker and a few numbers per
// vector. A guide's scores are a second tile beside ours; rules cost nothing where there are none.
//
// Tried and lost: scores computed anew for the columns' gradient (10 N M E instead of 8; a quarter
// slower).
#include "../ops/contrast.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "../ops/linear.h"
#include "../ops/run.h"
#include "contrast_nested.h"
#include "kernels.h"
#include "loops.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kRows = 96;                  // of a block: 147 KiB at a width of 384
constexpr int64_t kSlab = int64_t(1) << 20;    // elements of a slab: 4 MiB, twice that in backward
constexpr int64_t kLongestSlab = 42 * kLanes;  // columns, when vectors are narrow
constexpr int64_t kUnit = 12;                  // a multiple of every tile_rows

constexpr float kNothing = -std::numeric_limits<float>::infinity();

void pack(const Stream& stream, const Sweep& sweep, const Slab& slab) {
  stream.parallel_for(panels_of(slab.span.count), [&](int64_t item, int) {
    const int64_t at = item * kPanel;
    const Span panel{slab.span.begin + at, std::min(kPanel, slab.span.count - at)};
    pack_keys(sweep.across, slab, panel, slab.keys);
    if (slab.values) pack_values(sweep.across, slab, panel);
    if (slab.guide) pack_keys(sweep.guide_across, slab, panel, slab.guide);
  });
}

// Removes candidates by what they or their guide's vectors score.
void strike_scores(const Sweep& sweep, const Slab& slab, const ContrastTile& tile,
                   const TilePlace& place, const Bench& bench) {
  const Rules& rules = *sweep.rules;
  const int64_t row = place.block.begin;
  ContrastStrike strike{.scores = bench.scores,
                        .stride = tile.stride,
                        .rows = tile.rows,
                        .lanes = tile.lanes,
                        .row_factor = tile.row_factor,
                        .lane_factor = tile.lane_factor,
                        .limit = nullptr,
                        .candidates = bench.marks.candidates,
                        .kept = bench.marks.kept,
                        .removed = nullptr,
                        .counts = rules.op.rules(),
                        .shown = bench.scores,
                        .shown_row_factor = tile.row_factor,
                        .shown_lane_factor = tile.lane_factor,
                        .best = rules.best ? rules.best + row : nullptr,
                        .best_column = rules.best ? rules.best_column + row : nullptr,
                        .first_column = place.lanes.begin};
  if (rules.limit) {
    strike.limit = rules.limit + row;
    strike.removed = rules.counter(row, rules.op.rules() - 2);
    kernels().contrast_strike(strike);
  }
  if (!rules.guide_limit) return;
  const int64_t at = place.lanes.begin - slab.span.begin;
  multiply(sweep.guide_block, place.block, slab.guide + at * sweep.guide_across.width, tile,
           bench.guide);
  strike.scores = bench.guide;
  strike.row_factor = sweep.guide_block.factor + row;
  strike.lane_factor = sweep.guide_across.factor + place.lanes.begin;
  strike.limit = rules.guide_limit + row;
  strike.removed = rules.counter(row, rules.op.rules() - 1);
  kernels().contrast_strike(strike);
}

void visit_tile(const Sweep& sweep, const Slab& slab, const TilePlace& place, const Bench& bench,
                const Store& store) {
  const auto& [block, lanes] = place;
  const int64_t width = sweep.block.width, at = lanes.begin - slab.span.begin;
  const float *keys = slab.keys + at * width, *values = slab.values + at * rounded(width, kPanel);
  if (sweep.is_nested()) {
    visit_widths(sweep, keys, place, bench, store);
    if (sweep.is_backward) add_widths(sweep, values, place, bench, store);
    return;
  }
  ContrastTile tile = tile_of(sweep, place);
  tile.dots = tile.scores = bench.scores;
  tile.candidates = bench.marks.candidates;
  tile.weighted = bench.marks.weighted;
  multiply(sweep.block, block, keys, tile, tile.scores);
  if (sweep.rules) strike_scores(sweep, slab, tile, place, bench);
  sweep.kernel(tile);
  if (sweep.drows) {
    kernels().product({tile.scores, tile.stride, false, values, kPanel * lanes.count,
                       sweep.drows + block.begin * width, width, tile.rows, width, lanes.count,
                       true});
  }
  if (sweep.dcolumns) store.keep(tile.scores, place, 0);
}

void visit_block(const Stream& stream, const Sweep& sweep, const Slab& slab, Span block,
                 Arena& arena, const Store& store) {
  const Bench bench = bench_of(arena, sweep, block.count);
  const uint16_t* bits = bench.marks.candidates;
  for (int64_t at = 0; at < slab.span.count; at += kLanes) {
    if (stream.is_cancelled()) throw Cancelled();
    const Span lanes{slab.span.begin + at, std::min(kLanes, slab.span.count - at)};
    const TilePlace place{block, lanes};
    mark_tile(sweep.op, sweep.rules, place, bench.marks);
    const uint16_t* end = bits + block.count * panels_of(lanes.count);
    const bool is_met = std::any_of(bits, end, [](uint16_t word) { return word != 0; });
    if (is_met) visit_tile(sweep, slab, place, bench, store);
    if (store.met) store.note(place, is_met);
  }
}

// Rows of a block: enough blocks for every thread, but no more than the caches like. Sums by lane
// are made block by block, so their blocks are the same for any number of threads.
int64_t block_rows(const Stream& stream, const Sweep& sweep, int64_t count) {
  if (sweep.is_backward && sweep.is_nested()) return kStoredRows;
  const int64_t share = rounded(ceil_div(count, 3 * stream.threads()), kUnit);
  return std::clamp(share, kUnit, sweep.is_backward ? kStoredRows : kRows);
}

Slab slab_of(Arena& arena, const Sweep& sweep) {
  const Side &across = sweep.across, &guide = sweep.guide_across;
  const int64_t width = across.width;
  const int64_t fit = kSlab / std::max<int64_t>(width, 1) / kLanes * kLanes;
  Slab slab;
  slab.length = std::min(std::clamp(fit, kLanes, kLongestSlab), rounded(across.count, kPanel));
  slab.keys = arena.tensor(slab.length, width).f32();
  slab.values = sweep.drows ? arena.tensor(slab.length, rounded(width, kPanel)).f32() : nullptr;
  slab.guide = guide.x ? arena.tensor(slab.length, guide.width).f32() : nullptr;
  return slab;
}

// Some rows against a slab.
void visit_rows(const Stream& stream, const Sweep& sweep, const Slab& slab, const Store& store) {
  const auto [begin, count] = store.rows;
  const int64_t size = block_rows(stream, sweep, count), blocks = ceil_div(count, size);
  stream.parallel_for(blocks, [&](int64_t item, int worker) {
    const Span block{begin + item * size, std::min(size, count - item * size)};
    visit_block(stream, sweep, slab, block, stream.scratch(worker), store);
  });
  if (!sweep.dcolumns) return;
  add_to_columns(stream, sweep, store);
  if (store.along) add_sums(sweep, store);
}

void run_sweep(const Stream& stream, const Sweep& sweep) {
  Scope scope(stream.scratch());
  Slab slab = slab_of(stream.scratch(), sweep);
  Store store = store_of(stream.scratch(), sweep, slab.length);
  const int64_t rows = sweep.block.count;
  for (int64_t begin = 0; begin < sweep.across.count; begin += slab.length) {
    slab.span = {begin, std::min(slab.length, sweep.across.count - begin)};
    pack(stream, sweep, slab);
    store.lanes = slab.span;
    for (int64_t row = 0; row < rows; row += store.most) {
      store.rows = {row, std::min(store.most, rows - row)};
      visit_rows(stream, sweep, slab, store);
    }
  }
}

float count_of(const Tensor& count, int64_t row) {
  return count.type == Type::I32 ? float(count.i32()[row]) : count.f32()[row];
}

float* zeros(Arena& arena, int64_t size) {
  float* out = arena.tensor(1, size).f32();
  std::fill_n(out, size, 0.0f);
  return out;
}

// What a softmax brings to G, by row of the op.
ContrastTile softmax_terms(Arena& arena, const ContrastBackward& op) {
  const int64_t count = op.rows.rows, widths = op.width_count(), all = count * widths;
  float* lse = arena.tensor(3, all).f32();
  float *dlse = lse + all, *shift = dlse + all;
  for (int64_t i = 0; i < all; ++i) {
    const int64_t row = i / widths, at = i % widths * count + row;
    lse[at] = op.lse.f32()[i];
    dlse[at] = std::isfinite(lse[at]) ? op.dlse.f32()[i] : std::nanf("");
    const float candidates = count_of(op.count, row);
    const bool has_mean = !op.dmean.empty() && candidates != 0;
    shift[at] = has_mean ? op.dmean.f32()[i] / candidates : 0.0f;
  }
  ContrastTile terms{};
  terms.lse = lse;
  terms.dlse = dlse;
  terms.shift = shift;
  terms.along = zeros(arena, count);
  return terms;
}

void clear(const Stream& stream, const Tensor& dx) {
  over_rows(stream, dx.rows, dx.cols, [&](int64_t begin, int64_t end) {
    std::fill(dx.f32() + begin * dx.cols, dx.f32() + end * dx.cols, 0.0f);
  });
}

// From sums of G times the other side's vectors to the gradient of x. What lies along x is taken
// out of the finished sum itself, so that none of its rounding is left there.
void finish(const Stream& stream, const ContrastOperands& op, const Side& side, const Tensor& dx,
            const float* along) {
  const int64_t width = side.width;
  if (dx.empty() || !side.scale) return;
  over_rows(stream, side.count, width, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* x = side.x + i * width;
      float* out = dx.f32() + i * width;
      if (!op.widths.empty()) {
        finish_widths(op, side, along, i, out);
        continue;
      }
      const float share = kernels().dot(out, x, width) * side.scale[i] * side.scale[i];
      for (int64_t j = 0; j < width; ++j) out[j] -= x[j] * share;
    }
  });
}

// The outputs of a row whose columns have all been seen.
void close_row(const ContrastForward& op, const ContrastTile& seen, int64_t row) {
  const int32_t count = seen.count[row];
  for (int64_t nested = 0; nested < op.width_count(); ++nested) {
    const int64_t at = nested * op.rows.rows + row, out = row * op.width_count() + nested;
    const float total = seen.total[at];
    // the largest score may have passed over a NaN; the sum of scores has not
    const float lse = std::isnan(total) ? total : seen.most[at] + std::log(seen.sum[at]);
    op.lse.f32()[out] = count ? lse : kNothing;
    if (!op.mean.empty()) op.mean.f32()[out] = count ? total / float(count) : 0.0f;
  }
  if (op.count.type == Type::I32) {
    op.count.i32()[row] = count;
  } else {
    op.count.f32()[row] = float(count);
  }
}

// What forward counts beside the softmax, where it is asked to.
void count_removed(Arena& arena, const ContrastForward& op, Rules& rules) {
  const int64_t rows = op.rows.rows;
  if (!op.removed.empty()) {
    rules.removed = arena.tensor(rows, op.rules(), Type::I32).i32();
    std::fill_n(rules.removed, rows * op.rules(), 0);
  }
  if (op.suspects.empty()) return;
  rules.best = arena.tensor(1, rows).f32();
  rules.best_column = arena.tensor(1, rows, Type::I32).i32();
  std::fill_n(rules.best, rows, kNothing);
  std::fill_n(rules.best_column, rows, -1);
}

void report(const ContrastForward& op, const Rules& rules) {
  const int64_t rows = op.rows.rows, count = op.rules();
  for (int64_t rule = 0; !op.removed.empty() && rule < count; ++rule) {
    int64_t sum = 0;
    for (int64_t row = 0; row < rows; ++row) sum += rules.removed[row * count + rule];
    op.removed.f32()[rule] = float(sum);
  }
  for (int64_t row = 0; !op.suspects.empty() && row < rows; ++row) {
    const int32_t column = rules.best_column[row];
    op.suspects.f32()[2 * row] = float(column);
    op.suspects.f32()[2 * row + 1] = column < 0 ? 0.0f : rules.best[row];
  }
}

// The vectors of an op and of its guide.
struct Scores {
  const ContrastOperands& op;
  Side rows, columns, guide_rows, guide_columns;
};

Scores scores_of(Arena& arena, const ContrastOperands& op) {
  const double temperature = op.temperature.f32()[0];
  Scores scores{op,
                side_of(arena, op.rows, op.row_scale, temperature, op.width_count()),
                side_of(arena, op.columns, op.column_scale, 1.0, op.width_count()),
                {},
                {}};
  if (op.guide_limit.empty()) return scores;
  scores.guide_rows = side_of(arena, op.guide_rows, op.guide_row_scale, 1.0);
  scores.guide_columns = side_of(arena, op.guide_columns, op.guide_column_scale, 1.0);
  return scores;
}

Sweep sweep_of(const Scores& scores, const Rules& rules, const ContrastTile& terms,
               void (*kernel)(const ContrastTile&)) {
  const auto& [op, rows, columns, guide_rows, guide_columns] = scores;
  const double temperature = op.temperature.f32()[0];
  const double ends[] = {op.lowest / temperature, op.highest / temperature};
  Sweep sweep{op, rows, columns, terms, kernel};
  sweep.whole.bends = op.bends();
  sweep.whole.lowest = float(std::min(ends[0], ends[1]));
  sweep.whole.highest = float(std::max(ends[0], ends[1]));
  sweep.whole.gain = float(op.hardness * temperature);
  sweep.rules = op.any() ? &rules : nullptr;
  sweep.guide_block = guide_rows;
  sweep.guide_across = guide_columns;
  return sweep;
}

}  // namespace

template <>
void run<ContrastForward>(const Stream& stream, const ContrastForward& op) {
  Arena& arena = stream.scratch();
  Scope scope(arena);
  const int64_t count = op.rows.rows, all = count * op.width_count();
  ContrastTile whole{};
  whole.most = arena.tensor(3, all).f32();
  whole.sum = whole.most + all;
  whole.total = whole.sum + all;
  whole.count = arena.tensor(1, all, Type::I32).i32();
  std::fill_n(whole.most, all, kNothing);
  std::fill_n(whole.sum, 2 * all, 0.0f);
  std::fill_n(whole.count, all, 0);
  const Scores scores = scores_of(arena, op);
  Rules rules = rules_of(arena, op);
  count_removed(arena, op, rules);
  run_sweep(stream, sweep_of(scores, rules, whole, kernels().contrast_forward));
  over_elements(stream, count, [&](int64_t row) { close_row(op, whole, row); });
  report(op, rules);
}

template <>
void run<ContrastBackward>(const Stream& stream, const ContrastBackward& op) {
  Arena& arena = stream.scratch();
  Scope scope(arena);
  const Scores scores = scores_of(arena, op);
  const Rules rules = rules_of(arena, op);
  const ContrastTile terms = softmax_terms(arena, op);
  Sweep sweep = sweep_of(scores, rules, terms, kernels().contrast_backward);
  sweep.is_backward = true;
  sweep.drows = op.drows.f32();
  sweep.dcolumns = op.dcolumns.f32();
  if (sweep.is_nested()) {
    sweep.along_rows = zeros(arena, op.width_count() * op.rows.rows);
    sweep.along_columns = zeros(arena, op.width_count() * op.columns.rows);
  }
  clear(stream, op.drows);
  clear(stream, op.dcolumns);
  run_sweep(stream, sweep);
  finish(stream, op, scores.rows, op.drows, sweep.along_rows);
  finish(stream, op, scores.columns, op.dcolumns, sweep.along_columns);
  if (op.dtemperature.empty()) return;
  const double along = std::accumulate(terms.along, terms.along + op.rows.rows, 0.0);
  op.dtemperature.f32()[0] = float(-along / double(op.temperature.f32()[0]));
}

template <>
void run<RowNorms>(const Stream& stream, const RowNorms& op) {
  const int64_t width = op.x.cols, widths = std::max<int64_t>(1, op.widths.size());
  over_rows(stream, op.x.rows, width, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      const float* x = op.x.f32() + row * width;
      float squares = 0;
      for (int64_t nested = 0, begin = 0; nested < widths; ++nested) {
        const int64_t said = op.widths.empty() ? width : int64_t(op.widths.i32()[nested]);
        const int64_t end = std::clamp(said, begin, width);
        squares += kernels().dot(x + begin, x + begin, end - begin);
        op.inverse.f32()[row * widths + nested] = 1.0f / std::max(std::sqrt(squares), 1e-12f);
        begin = end;
      }
    }
  });
}

}  // namespace inbatch::cpu
