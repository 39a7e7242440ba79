// Contrastive softmax. Contract: ops/contrast.h.
//
// One side of the scores stands in blocks, the other passes by in slabs that are packed once for
// all blocks; an item is a block against a slab, tile by tile. Forward and the gradient of the rows
// have the rows as blocks, the gradient of the columns has the columns as blocks, so each gradient
// has one writer and a fixed order. Tiles without candidates are skipped. Beyond the operands there
// are the panels of a slab, a tile per worker and a few numbers per vector. A guide's scores are a
// second tile beside ours; rules cost nothing where there are none.
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

constexpr int64_t kRows = 96;                // vectors of a block: 147 KiB at a width of 384
constexpr int64_t kSlab = int64_t(1) << 20;  // elements of a slab: 4 MiB, twice that in backward
constexpr int64_t kLongestSlab = 8192;       // lanes, when vectors are narrow
constexpr int64_t kUnit = 12;                // a multiple of every tile_rows

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
  const int64_t row = place.block.begin, limits = place.by_lane ? place.lanes.begin : row;
  ContrastStrike strike{.scores = bench.scores,
                        .stride = tile.stride,
                        .rows = tile.rows,
                        .lanes = tile.lanes,
                        .row_factor = tile.row_factor,
                        .lane_factor = tile.lane_factor,
                        .by_lane = place.by_lane,
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
    strike.limit = rules.limit + limits;
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
  strike.limit = rules.guide_limit + limits;
  strike.removed = rules.counter(row, rules.op.rules() - 1);
  kernels().contrast_strike(strike);
}

void visit_tile(const Sweep& sweep, const Slab& slab, const TilePlace& place, const Bench& bench) {
  const auto& [block, lanes, by_lane] = place;
  const int64_t width = sweep.block.width, at = lanes.begin - slab.span.begin;
  ContrastTile tile = tile_of(sweep, block, lanes);
  tile.dots = tile.scores = bench.scores;
  tile.stride = kLanes;
  tile.candidates = bench.marks.candidates;
  tile.weighted = bench.marks.weighted;
  const int64_t wide = rounded(width, kPanel);
  if (!sweep.op.widths.empty()) {
    visit_widths(sweep, slab.keys + at * width, place, bench);
    if (sweep.dblock) add_widths(sweep, slab.values + at * wide, place, bench);
    return;
  }
  multiply(sweep.block, block, slab.keys + at * width, tile, tile.scores);
  if (sweep.rules) strike_scores(sweep, slab, tile, place, bench);
  sweep.kernel(tile);
  if (!sweep.dblock) return;
  kernels().product({tile.scores, tile.stride, false, slab.values + at * wide, kPanel * lanes.count,
                     sweep.dblock + block.begin * width, width, tile.rows, width, lanes.count,
                     true});
}

void visit_block(const Stream& stream, const Sweep& sweep, const Slab& slab, Span block,
                 Arena& arena) {
  const Bench bench = bench_of(arena, sweep, block.count);
  const uint16_t* bits = bench.marks.candidates;
  for (int64_t at = 0; at < slab.span.count; at += kLanes) {
    if (stream.is_cancelled()) throw Cancelled();
    const Span lanes{slab.span.begin + at, std::min(kLanes, slab.span.count - at)};
    const TilePlace place{block, lanes, sweep.whole.by_lane};
    mark_tile(sweep.op, sweep.rules, place, bench.marks);
    const uint16_t* end = bits + block.count * panels_of(lanes.count);
    if (std::all_of(bits, end, [](uint16_t word) { return word == 0; })) continue;
    visit_tile(sweep, slab, place, bench);
  }
}

// Rows of a block: enough blocks for every thread, but no more than the caches like.
int64_t block_rows(const Stream& stream, const Sweep& sweep) {
  const int64_t share = rounded(ceil_div(sweep.block.count, 3 * stream.threads()), kUnit);
  const bool is_nested = sweep.dblock && !sweep.op.widths.empty();  // a tile for each width
  return std::clamp(share, kUnit, is_nested ? kRows / 2 : kRows);
}

void run_sweep(const Stream& stream, const Sweep& sweep) {
  Scope scope(stream.scratch());
  const Side& across = sweep.across;
  const int64_t width = across.width;
  const int64_t fit = kSlab / std::max<int64_t>(width, 1) / kLanes * kLanes;
  const int64_t length =
      std::min(std::clamp(fit, kLanes, kLongestSlab), rounded(across.count, kPanel));
  const int64_t rows = block_rows(stream, sweep);
  Slab slab;
  slab.keys = stream.scratch().tensor(length, width).f32();
  slab.values =
      sweep.dblock ? stream.scratch().tensor(length, rounded(width, kPanel)).f32() : nullptr;
  const Side& guide = sweep.guide_across;
  slab.guide = guide.x ? stream.scratch().tensor(length, guide.width).f32() : nullptr;
  for (int64_t begin = 0; begin < across.count; begin += length) {
    slab.span = {begin, std::min(length, across.count - begin)};
    pack(stream, sweep, slab);
    stream.parallel_for(ceil_div(sweep.block.count, rows), [&](int64_t item, int worker) {
      const Span block{item * rows, std::min(rows, sweep.block.count - item * rows)};
      visit_block(stream, sweep, slab, block, stream.scratch(worker));
    });
  }
}

float count_of(const Tensor& count, int64_t row) {
  return count.type == Type::I32 ? float(count.i32()[row]) : count.f32()[row];
}

// What a softmax brings to G, by row of the op; padded with zeros to whole panels.
ContrastTile softmax_terms(Arena& arena, const ContrastBackward& op) {
  const int64_t count = op.rows.rows, padded = rounded(count, kPanel), widths = op.width_count();
  float* lse = arena.tensor(3 * widths, padded).f32();
  float *dlse = lse + widths * padded, *shift = dlse + widths * padded;
  std::fill(lse, shift + widths * padded, 0.0f);
  for (int64_t i = 0; i < count * widths; ++i) {
    const int64_t row = i / widths, at = i % widths * padded + row;
    lse[at] = op.lse.f32()[i];
    dlse[at] = std::isfinite(lse[at]) ? op.dlse.f32()[i] : std::nanf("");
    const float candidates = count_of(op.count, row);
    if (op.dmean.empty() || candidates == 0) continue;
    shift[at] = op.dmean.f32()[i] / candidates;
  }
  ContrastTile terms{};
  terms.lse = lse;
  terms.dlse = dlse;
  terms.shift = shift;
  return terms;
}

// From sums of G times the other side's vectors to the gradient of x. What lies along x is taken
// out of the finished sum itself, so that none of its rounding is left there.
void finish(const Stream& stream, const Sweep& sweep) {
  const Side& side = sweep.block;
  const int64_t width = side.width;
  over_rows(stream, side.count, width, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* x = side.x + i * width;
      float* out = sweep.dblock + i * width;
      if (!sweep.op.widths.empty()) {
        finish_widths(sweep, i, out);
        continue;
      }
      for (int64_t j = 0; j < width; ++j) out[j] *= side.factor[i];
      if (!side.scale) continue;
      const float along = kernels().dot(out, x, width) * side.scale[i];
      for (int64_t j = 0; j < width; ++j) out[j] -= x[j] * side.scale[i] * along;
    }
  });
}

// The gradient of one side.
void backward_side(const Stream& stream, Sweep sweep, float* dx) {
  const Side& side = sweep.block;
  sweep.dblock = dx;
  Scope scope(stream.scratch());
  if (dx && !sweep.op.widths.empty()) {
    const int64_t size = sweep.op.width_count() * side.count;
    sweep.along = stream.scratch().tensor(1, size).f32();
    std::fill_n(sweep.along, size, 0.0f);
  }
  if (dx) {
    over_rows(stream, side.count, side.width, [&](int64_t begin, int64_t end) {
      std::fill(dx + begin * side.width, dx + end * side.width, 0.0f);
    });
  }
  run_sweep(stream, sweep);
  if (dx) finish(stream, sweep);
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
  sweep.state_row = terms.lse ? rounded(rows.count, kPanel) : rows.count;
  sweep.whole.bends = op.bends();
  sweep.whole.lowest = float(std::min(ends[0], ends[1]));
  sweep.whole.highest = float(std::max(ends[0], ends[1]));
  sweep.whole.gain = float(op.hardness * temperature);
  sweep.rules = op.any() ? &rules : nullptr;
  sweep.guide_block = guide_rows;
  sweep.guide_across = guide_columns;
  if (!terms.by_lane) return sweep;
  std::swap(sweep.block, sweep.across);
  std::swap(sweep.guide_block, sweep.guide_across);
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
  ContrastTile terms = softmax_terms(arena, op);
  if (!op.drows.empty() || !op.dtemperature.empty()) {
    terms.along = arena.tensor(1, op.rows.rows).f32();
    std::fill_n(terms.along, op.rows.rows, 0.0f);
    backward_side(stream, sweep_of(scores, rules, terms, kernels().contrast_backward),
                  op.drows.f32());
    if (!op.dtemperature.empty()) {
      const double along = std::accumulate(terms.along, terms.along + op.rows.rows, 0.0);
      op.dtemperature.f32()[0] = float(-along / double(op.temperature.f32()[0]));
    }
  }
  if (!op.dcolumns.empty()) {
    terms.along = nullptr;
    terms.by_lane = true;
    backward_side(stream, sweep_of(scores, rules, terms, kernels().contrast_backward),
                  op.dcolumns.f32());
  }
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
