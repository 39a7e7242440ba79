// A tile of a contrastive softmax: which part of the whole it sees, and what a worker has for it.
#pragma once

#include "contrast_slabs.h"

namespace inbatch::cpu {

// All tiles of scores between a side in blocks and a side in lanes.
struct Sweep {
  const ContrastOperands& op;
  Side block, across;
  ContrastTile whole;  // its pointers at the first vector of their side, at the first width
  void (*kernel)(const ContrastTile&);
  int64_t state_row = 0;    // from what `whole` has of a width to that of the next
  float* dblock = nullptr;  // (block.count, width): what the tile leaves times the lanes is added
  float* along = nullptr;   // (widths, block.count): of several widths, see contrast_nested.h
  const Rules* rules = nullptr;
  Side guide_block{}, guide_across{};  // without vectors when there is no guide
};

// The part of the whole that a tile needs at one of the widths.
inline ContrastTile tile_of(const Sweep& sweep, Span block, Span lanes, int64_t nested = 0) {
  ContrastTile tile = sweep.whole;
  const int64_t state = nested * sweep.state_row, at = block.begin;
  const int64_t softmax = tile.by_lane ? lanes.begin : block.begin;
  tile.rows = block.count;
  tile.lanes = rounded(lanes.count, kPanel);
  tile.row_factor = sweep.block.factor + nested * sweep.block.factor_row + at;
  tile.lane_factor = sweep.across.factor + nested * sweep.across.factor_row + lanes.begin;
  for (float** field : {&tile.most, &tile.sum, &tile.total}) {
    if (*field) *field += state + at;
  }
  if (tile.count) tile.count += state + at;
  if (tile.along) tile.along += at;
  for (const float** field : {&tile.lse, &tile.dlse, &tile.shift}) {
    if (*field) *field += state + softmax;
  }
  return tile;
}

// What a worker has for its tiles.
struct Bench {
  float *scores, *guide;
  float* nested;  // of several widths: what each of them leaves, or in forward one of them
  Marks marks;
};

inline Bench bench_of(Arena& arena, const Sweep& sweep, int64_t rows) {
  const auto floats = [&](int64_t tiles) {
    return tiles ? arena.tensor(tiles * rows, kLanes).f32() : nullptr;
  };
  const auto bits = [&](bool wanted) {
    return wanted ? static_cast<uint16_t*>(arena.push(size_t(rows * kLanes / 8))) : nullptr;
  };
  const bool is_nested = !sweep.op.widths.empty();
  return {floats(1),
          floats(sweep.guide_block.x ? 1 : 0),
          floats(!is_nested     ? 0
                 : sweep.dblock ? sweep.op.width_count()
                                : 1),
          {bits(true), bits(sweep.rules), bits(sweep.op.hardness != 0)}};
}

inline void multiply(const Side& side, Span block, const float* keys, const ContrastTile& tile,
                     float* scores) {
  kernels().product({side.x + block.begin * side.width, side.width, false, keys,
                     kPanel * side.width, scores, tile.stride, tile.rows, tile.lanes, side.width});
}

}  // namespace inbatch::cpu
