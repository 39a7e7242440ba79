// Several widths of a contrastive softmax in one pass. Contract: ops/contrast.h.
//
// A product of leading columns is a part of the chain of the whole product: it is computed up to
// each width in turn, and the softmax of that width made beside it. In backward each width leaves a
// tile of coefficients. Columns between two widths belong to all wider ones, so their gradient is
// one product with the sum of these, from the widest down. What lies along the vectors is summed up
// beside, since it can no longer be told apart in the finished sum.
#pragma once

#include "contrast_tiles.h"

namespace inbatch::cpu {

// The columns [begin, end) that a width adds to the ones before.
inline Span columns_added(const ContrastOperands& op, int64_t nested) {
  const int64_t width = op.rows.cols;
  const auto at = [&](int64_t n) {
    return n < 0 ? 0 : std::clamp<int64_t>(op.widths.i32()[n], 0, width);
  };
  return {at(nested - 1), std::max<int64_t>(0, at(nested) - at(nested - 1))};
}

// The coefficients of each width, or in forward its softmax.
inline void visit_widths(const Sweep& sweep, const float* keys, const TilePlace& place,
                         const Bench& bench) {
  const auto& [block, lanes, by_lane] = place;
  const Side& side = sweep.block;
  const int64_t size = block.count * kLanes;
  for (int64_t nested = 0; nested < sweep.op.width_count(); ++nested) {
    const Span added = columns_added(sweep.op, nested);
    ContrastTile tile = tile_of(sweep, block, lanes, nested);
    tile.stride = kLanes;
    tile.dots = bench.scores;
    tile.scores = sweep.dblock ? bench.nested + nested * size : bench.nested;
    if (sweep.dblock) tile.nested = sweep.along + nested * side.count + block.begin;
    tile.candidates = bench.marks.candidates;
    tile.weighted = bench.marks.weighted;
    kernels().product({side.x + block.begin * side.width + added.begin, side.width, false,
                       keys + added.begin * kPanel, kPanel * side.width, bench.scores, kLanes,
                       tile.rows, tile.lanes, added.count, nested > 0});
    sweep.kernel(tile);
  }
}

// Adds the gradient of the block's vectors.
inline void add_widths(const Sweep& sweep, const float* values, const TilePlace& place,
                       const Bench& bench) {
  const auto& [block, lanes, by_lane] = place;
  const int64_t width = sweep.block.width, size = block.count * kLanes;
  const int64_t panel = kPanel * lanes.count;
  for (int64_t nested = sweep.op.width_count(); nested-- > 0;) {
    float* coefficients = bench.nested + nested * size;
    const Span added = columns_added(sweep.op, nested);
    kernels().product({coefficients, kLanes, false, values + added.begin / kPanel * panel, panel,
                       sweep.dblock + block.begin * width + added.begin, width, block.count,
                       added.count, lanes.count, true});
    if (nested > 0) kernels().add_rows(coefficients, coefficients - size, size);
  }
}

// Takes out of the gradient dx what lies along the vectors of each width.
inline void finish_widths(const Sweep& sweep, int64_t row, float* dx) {
  const Side& side = sweep.block;
  if (!side.scale) return;
  const int64_t widths = sweep.op.width_count();
  const float* x = side.x + row * side.width;
  float share = 0;
  for (int64_t nested = widths; nested-- > 0;) {
    const float scale = side.scale[row * widths + nested];
    share += scale * scale * sweep.along[nested * side.count + row];
    const Span added = columns_added(sweep.op, nested);
    for (int64_t j = added.begin; j < added.begin + added.count; ++j) dx[j] -= x[j] * share;
  }
}

}  // namespace inbatch::cpu
