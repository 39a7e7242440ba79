// Contrastive softmax. Contract: ops/contrast.h.
//
// One side of the scores stands in blocks, the other passes by in slabs that are packed once for
// all blocks; an item is a block against a slab, tile by tile. Forward and the gradient of the rows
// have the rows as blocks, the gradient of the columns has the columns as blocks, so each gradient
// has one writer and a fixed order. Tiles without candidates are skipped. Beyond the operands there
// are the panels of a slab, a tile per worker and a few numbers per vector.
#include "../ops/contrast.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "../ops/linear.h"
#include "../ops/run.h"
#include "kernels.h"
#include "loops.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kRows = 96;                // vectors of a block: 147 KiB at a width of 384
constexpr int64_t kLanes = 256;              // vectors that a tile sets against them
constexpr int64_t kSlab = int64_t(1) << 20;  // elements of a slab: 4 MiB, twice that in backward
constexpr int64_t kLongestSlab = 8192;       // lanes, when vectors are narrow
constexpr int64_t kUnit = 12;                // a multiple of every tile_rows

constexpr float kNothing = -std::numeric_limits<float>::infinity();

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t rounded(int64_t n, int64_t unit) { return ceil_div(n, unit) * unit; }

struct Span {
  int64_t begin, count;
};

// One of the two sets of vectors. The factors of a pair multiply its dot product to the score.
struct Side {
  const float* x;
  int64_t count, width;
  const float* factor;  // padded with zeros to whole panels
  const float* scale;   // null: none
};

Side side_of(Arena& arena, const Tensor& x, const Tensor& scale, double divisor) {
  float* factor = arena.tensor(panels_of(x.rows), kPanel).f32();
  for (int64_t i = 0; i < panels_of(x.rows) * kPanel; ++i) {
    const double length = scale.empty() || i >= x.rows ? 1.0 : double(scale.f32()[i]);
    factor[i] = i < x.rows ? float(length / divisor) : 0.0f;
  }
  return {x.f32(), x.rows, x.cols, factor, scale.f32()};
}

// All tiles of scores between a side in blocks and a side in lanes.
struct Sweep {
  const ContrastOperands& op;
  Side block, across;
  ContrastTile whole;  // its pointers at the first vector of their side
  void (*kernel)(const ContrastTile&);
  float* dblock = nullptr;  // (block.count, width): what the tile leaves times the lanes is added
};

struct Slab {
  Span span;
  float* keys;    // panels of 16 vectors as [element][vector]
  float* values;  // for each tile, panels of 16 elements as [vector][element]; null: not wanted
};

bool admits(const ContrastOperands& op, int64_t column, bool owned) {
  if (column < op.positives) return owned ? op.own : op.others;
  return owned ? op.own_hard : op.other_hard;
}

void put(uint16_t* bits, int64_t lane, bool on) {
  const auto bit = uint16_t(1u << lane % 16);
  bits[lane / 16] = uint16_t(on ? bits[lane / 16] | bit : bits[lane / 16] & ~bit);
}

// Marks the candidates of a tile whose lanes are columns.
void mark_columns(const ContrastOperands& op, Span rows, Span columns, uint16_t* bits) {
  const int64_t words = panels_of(columns.count);
  uint16_t common[kLanes / 16] = {};
  for (int64_t lane = 0; lane < columns.count; ++lane) {
    put(common, lane, admits(op, columns.begin + lane, false));
  }
  for (int64_t row = 0; row < rows.count; ++row) std::copy_n(common, words, bits + row * words);
  for (int64_t lane = 0; lane < columns.count; ++lane) {
    const int64_t column = columns.begin + lane;
    const int64_t row = int64_t(op.owner.i32()[column]) - rows.begin;
    if (row >= 0 && row < rows.count) put(bits + row * words, lane, admits(op, column, true));
  }
}

// The same for a tile whose lanes are rows.
void mark_rows(const ContrastOperands& op, Span columns, Span rows, uint16_t* bits) {
  const int64_t words = panels_of(rows.count);
  uint16_t every[kLanes / 16] = {};
  for (int64_t lane = 0; lane < rows.count; ++lane) put(every, lane, true);
  for (int64_t i = 0; i < columns.count; ++i, bits += words) {
    const int64_t column = columns.begin + i;
    const int64_t lane = int64_t(op.owner.i32()[column]) - rows.begin;
    for (int64_t w = 0; w < words; ++w) bits[w] = admits(op, column, false) ? every[w] : 0;
    if (lane >= 0 && lane < rows.count) put(bits, lane, admits(op, column, true));
  }
}

void pack_values(const Side& side, const Slab& slab, Span panel) {
  const int64_t at = panel.begin - slab.span.begin, tile = at / kLanes * kLanes;
  const int64_t depth = std::min(kLanes, slab.span.count - tile);
  float* out = slab.values + tile * rounded(side.width, kPanel) + (at - tile) * kPanel;
  for (int64_t j = 0; j < side.width; j += kPanel, out += kPanel * depth) {
    const int64_t n = std::min(kPanel, side.width - j);
    for (int64_t i = 0; i < panel.count; ++i) {
      const float* in = side.x + (panel.begin + i) * side.width + j;
      std::copy_n(in, n, out + i * kPanel);
      std::fill(out + i * kPanel + n, out + (i + 1) * kPanel, 0.0f);
    }
  }
}

void pack(const Stream& stream, const Side& side, const Slab& slab) {
  stream.parallel_for(panels_of(slab.span.count), [&](int64_t item, int) {
    const int64_t at = item * kPanel;
    const Span panel{slab.span.begin + at, std::min(kPanel, slab.span.count - at)};
    kernels().transpose_panels(side.x + panel.begin * side.width, side.width, panel.count,
                               side.width, slab.keys + at * side.width);
    if (slab.values) pack_values(side, slab, panel);
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

void visit_tile(const Sweep& sweep, const Slab& slab, const ContrastTile& tile, Span block,
                Span lanes) {
  const int64_t width = sweep.block.width, at = lanes.begin - slab.span.begin;
  const int64_t wide = rounded(width, kPanel);
  kernels().product({sweep.block.x + block.begin * width, width, false, slab.keys + at * width,
                     kPanel * width, tile.scores, tile.stride, tile.rows, tile.lanes, width});
  sweep.kernel(tile);
  if (!sweep.dblock) return;
  kernels().product({tile.scores, tile.stride, false, slab.values + at * wide, kPanel * lanes.count,
                     sweep.dblock + block.begin * width, width, tile.rows, width, lanes.count,
                     true});
}

void visit_block(const Stream& stream, const Sweep& sweep, const Slab& slab, Span block,
                 Arena& arena) {
  float* scores = arena.tensor(block.count, kLanes).f32();
  auto* bits = static_cast<uint16_t*>(arena.push(size_t(block.count * kLanes / 8)));
  for (int64_t at = 0; at < slab.span.count; at += kLanes) {
    if (stream.is_cancelled()) throw Cancelled();
    const Span lanes{slab.span.begin + at, std::min(kLanes, slab.span.count - at)};
    (sweep.whole.by_lane ? mark_rows : mark_columns)(sweep.op, block, lanes, bits);
    const uint16_t* end = bits + block.count * panels_of(lanes.count);
    if (std::all_of<const uint16_t*>(bits, end, [](uint16_t word) { return word == 0; })) continue;
    ContrastTile tile = tile_of(sweep, block, lanes);
    tile.scores = scores;
    tile.stride = kLanes;
    tile.candidates = bits;
    visit_tile(sweep, slab, tile, block, lanes);
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
  for (int64_t begin = 0; begin < across.count; begin += length) {
    slab.span = {begin, std::min(length, across.count - begin)};
    pack(stream, across, slab);
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
  run_sweep(stream,
            {op, side_of(arena, op.rows, op.row_scale, op.temperature.f32()[0]),
             side_of(arena, op.columns, op.column_scale, 1.0), whole, kernels().contrast_forward});
  over_elements(stream, count, [&](int64_t row) { close_row(op, whole, row); });
}

template <>
void run<ContrastBackward>(const Stream& stream, const ContrastBackward& op) {
  Arena& arena = stream.scratch();
  Scope scope(arena);
  const double temperature = op.temperature.f32()[0];
  const Side rows = side_of(arena, op.rows, op.row_scale, temperature);
  const Side columns = side_of(arena, op.columns, op.column_scale, 1.0);
  const ContrastTile terms = softmax_terms(arena, op);
  if (!op.drows.empty() || !op.dtemperature.empty()) {
    Sweep sweep{op, rows, columns, terms, kernels().contrast_backward};
    sweep.whole.along = arena.tensor(1, rows.count).f32();
    std::fill_n(sweep.whole.along, rows.count, 0.0f);
    backward_side(stream, sweep, op.drows.f32());
    if (!op.dtemperature.empty()) {
      const double along = std::accumulate(sweep.whole.along, sweep.whole.along + rows.count, 0.0);
      op.dtemperature.f32()[0] = float(-along / temperature);
    }
  }
  if (!op.dcolumns.empty()) {
    Sweep sweep{op, columns, rows, terms, kernels().contrast_backward};
    sweep.whole.by_lane = true;
    backward_side(stream, sweep, op.dcolumns.f32());
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
