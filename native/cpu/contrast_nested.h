// Several widths of a contrastive softmax in one pass. Contract: ops/contrast.h.
//
// A product of leading columns is a part of the chain of the whole product: it is computed up to
// each width in turn, and the softmax of that width made beside it. In backward each width leaves a
// tile of coefficients. Columns between two widths belong to all wider ones, so their gradient is
// one product with the sum of these, from the widest down. What lies along the vectors is summed up
// beside, since it can no longer be told apart in the finished sum.
#pragma once

#include "contrast_store.h"

namespace inbatch::cpu {

// The coefficients of each width, or in forward its softmax.
inline void visit_widths(const Sweep& sweep, const float* keys, const TilePlace& place,
                         const Bench& bench, const Store& store) {
  const auto& [block, lanes] = place;
  const Side& side = sweep.block;
  const int64_t size = block.count * kLanes;
  for (int64_t nested = 0; nested < sweep.op.width_count(); ++nested) {
    const Span added = columns_added(sweep.op, nested);
    ContrastTile tile = tile_of(sweep, place, nested);
    tile.dots = bench.scores;
    tile.scores = sweep.is_backward ? bench.nested + nested * size : bench.nested;
    if (sweep.is_backward) {
      tile.nested = sweep.along_rows + nested * side.count + block.begin;
      tile.nested_lanes = store.along_of(place, nested);
      std::fill_n(tile.nested_lanes, tile.lanes, 0.0f);
    }
    tile.candidates = bench.marks.candidates;
    tile.weighted = bench.marks.weighted;
    kernels().product({side.x + block.begin * side.width + added.begin, side.width, false,
                       keys + added.begin * kPanel, kPanel * side.width, bench.scores, kLanes,
                       tile.rows, tile.lanes, added.count, nested > 0});
    sweep.kernel(tile);
  }
}

// Sums up the coefficients, from the widest down: adds the gradient of the block's vectors, and
// stores what that of the slab's is made of.
inline void add_widths(const Sweep& sweep, const float* values, const TilePlace& place,
                       const Bench& bench, const Store& store) {
  const auto& [block, lanes] = place;
  const int64_t width = sweep.block.width, size = block.count * kLanes;
  const int64_t panel = kPanel * lanes.count;
  for (int64_t nested = sweep.op.width_count(); nested-- > 0;) {
    float* coefficients = bench.nested + nested * size;
    const Span added = columns_added(sweep.op, nested);
    if (sweep.drows) {
      kernels().product({coefficients, kLanes, false, values + added.begin / kPanel * panel, panel,
                         sweep.drows + block.begin * width + added.begin, width, block.count,
                         added.count, lanes.count, true});
    }
    if (sweep.dcolumns) store.keep(coefficients, place, nested);
    if (nested > 0) kernels().add_rows(coefficients, coefficients - size, size);
  }
}

// Takes out of the gradient dx of a vector what lies along it at each width; along: (widths,
// vectors).
inline void finish_widths(const ContrastOperands& op, const Side& side, const float* along,
                          int64_t row, float* dx) {
  if (!side.scale) return;
  const int64_t widths = op.width_count();
  const float* x = side.x + row * side.width;
  float share = 0;
  for (int64_t nested = widths; nested-- > 0;) {
    const float scale = side.scale[row * widths + nested];
    share += scale * scale * along[nested * side.count + row];
    const Span added = columns_added(op, nested);
    for (int64_t j = added.begin; j < added.begin + added.count; ++j) dx[j] -= x[j] * share;
  }
}

}  // namespace inbatch::cpu
