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
#include "contrast_marks.h"
#include "contrast_slabs.h"
#include "kernels.h"
#include "loops.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kRows = 96;                // vectors of a block: 147 KiB at a width of 384
constexpr int64_t kSlab = int64_t(1) << 20;  // elements of a slab: 4 MiB, twice that in backward
constexpr int64_t kLongestSlab = 8192;       // lanes, when vectors are narrow
constexpr int64_t kUnit = 12;                // a multiple of every tile_rows

constexpr float kNothing = -std::numeric_limits<float>::infinity();

// All tiles of scores between a side in blocks and a side in lanes.
struct Sweep {
  const ContrastOperands& op;
  Side block, across;
  ContrastTile whole;  // its pointers at the first vector of their side
  void (*kernel)(const ContrastTile&);
  float* dblock = nullptr;  // (block.count, width): what the tile leaves times the lanes is added
  const Rules* rules = nullptr;
  Side guide_block{}, guide_across{};  // without vectors when there is no guide
};

void pack(const Stream& stream, const Sweep& sweep, const Slab& slab) {
  stream.parallel_for(panels_of(slab.span.count), [&](int64_t item, int) {
    const int64_t at = item * kPanel;
    const Span panel{slab.span.begin + at, std::min(kPanel, slab.span.count - at)};
    pack_keys(sweep.across, slab, panel, slab.keys);
    if (slab.values) pack_values(sweep.across, slab, panel);
    if (slab.guide) pack_keys(sweep.guide_across, slab, panel, slab.guide);
  });
}

// The part of the whole that a tile needs.
ContrastTile tile_of(const Sweep& sweep, Span block, Span lanes) {
  ContrastTile tile = sweep.whole;
  const int64_t at = block.begin, softmax = tile.by_lane ? lanes.begin : block.begin;
  tile.rows = block.count;
  tile.lanes = rounded(lanes.count, kPanel);
  tile.row_factor = sweep.block.factor + at;
  tile.lane_factor = sweep.across.factor + lanes.begin;
  for (float** field : {&tile.most, &tile.sum, &tile.total, &tile.along}) {
    if (*field) *field += at;
  }
  if (tile.count) tile.count += at;
  for (const float** field : {&tile.lse, &tile.dlse, &tile.shift}) {
    if (*field) *field += softmax;
  }
  return tile;
}

// What a worker has for its tiles.
struct Bench {
  float *scores, *guide;
  Marks marks;
};

Bench bench_of(Arena& arena, const Sweep& sweep, int64_t rows) {
  const auto floats = [&](bool wanted) {
    return wanted ? arena.tensor(rows, kLanes).f32() : nullptr;
  };
  const auto bits = [&](bool wanted) {
    return wanted ? static_cast<uint16_t*>(arena.push(size_t(rows * kLanes / 8))) : nullptr;
  };
  return {floats(true),
          floats(sweep.guide_block.x),
          {bits(true), bits(sweep.rules), bits(sweep.op.hardness != 0)}};
}

void multiply(const Side& side, Span block, const float* keys, const ContrastTile& tile,
              float* scores) {
  kernels().product({side.x + block.begin * side.width, side.width, false, keys,
                     kPanel * side.width, scores, tile.stride, tile.rows, tile.lanes, side.width});
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
  tile.scores = bench.scores;
  tile.stride = kLanes;
  tile.candidates = bench.marks.candidates;
  tile.weighted = bench.marks.weighted;
  multiply(sweep.block, block, slab.keys + at * width, tile, tile.scores);
  if (sweep.rules) strike_scores(sweep, slab, tile, place, bench);
  sweep.kernel(tile);
  if (!sweep.dblock) return;
  const int64_t wide = rounded(width, kPanel);
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
int64_t block_rows(const Stream& stream, int64_t count) {
  return std::clamp(rounded(ceil_div(count, 3 * stream.threads()), kUnit), kUnit, kRows);
}

void run_sweep(const Stream& stream, const Sweep& sweep) {
  Scope scope(stream.scratch());
  const Side& across = sweep.across;
  const int64_t width = across.width;
  const int64_t fit = kSlab / std::max<int64_t>(width, 1) / kLanes * kLanes;
  const int64_t length =
      std::min(std::clamp(fit, kLanes, kLongestSlab), rounded(across.count, kPanel));
  const int64_t rows = block_rows(stream, sweep.block.count);
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
  const int64_t count = op.rows.rows, padded = rounded(count, kPanel);
  float* lse = arena.tensor(3, padded).f32();
  float *dlse = lse + padded, *shift = dlse + padded;
  std::fill(lse, shift + padded, 0.0f);
  for (int64_t row = 0; row < count; ++row) {
    lse[row] = op.lse.f32()[row];
    dlse[row] = std::isfinite(lse[row]) ? op.dlse.f32()[row] : std::nanf("");
    const float candidates = count_of(op.count, row);
    if (op.dmean.empty() || candidates == 0) continue;
    shift[row] = op.dmean.f32()[row] / candidates;
  }
  ContrastTile terms{};
  terms.lse = lse;
  terms.dlse = dlse;
  terms.shift = shift;
  return terms;
}

// From sums of G times the other side's vectors to the gradient of x. What lies along x is taken
// out of the finished sum itself, so that none of its rounding is left there.
void finish(const Stream& stream, const Side& side, float* dx) {
  const int64_t width = side.width;
  over_rows(stream, side.count, width, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* x = side.x + i * width;
      float* out = dx + i * width;
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
  if (dx) {
    over_rows(stream, side.count, side.width, [&](int64_t begin, int64_t end) {
      std::fill(dx + begin * side.width, dx + end * side.width, 0.0f);
    });
  }
  run_sweep(stream, sweep);
  if (dx) finish(stream, side, dx);
}

// The outputs of a row whose columns have all been seen.
void close_row(const ContrastForward& op, const ContrastTile& seen, int64_t row) {
  const int32_t count = seen.count[row];
  const float total = seen.total[row];
  // the largest score may have passed over a NaN; the sum of scores has not
  const float lse = std::isnan(total) ? total : seen.most[row] + std::log(seen.sum[row]);
  op.lse.f32()[row] = count ? lse : kNothing;
  if (!op.mean.empty()) op.mean.f32()[row] = count ? total / float(count) : 0.0f;
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
                side_of(arena, op.rows, op.row_scale, temperature),
                side_of(arena, op.columns, op.column_scale, 1.0),
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
  const int64_t count = op.rows.rows;
  ContrastTile whole{};
  whole.most = arena.tensor(3, count).f32();
  whole.sum = whole.most + count;
  whole.total = whole.sum + count;
  whole.count = arena.tensor(1, count, Type::I32).i32();
  std::fill_n(whole.most, count, kNothing);
  std::fill_n(whole.sum, 2 * count, 0.0f);
  std::fill_n(whole.count, count, 0);
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
  const int64_t width = op.x.cols;
  over_rows(stream, op.x.rows, width, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* x = op.x.f32() + row * width;
      op.inverse.f32()[row] = 1.0f / std::max(std::sqrt(kernels().dot(x, x, width)), 1e-12f);
    }
  });
}

}  // namespace inbatch::cpu
