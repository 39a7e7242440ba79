// A tile of a contrastive softmax: which part of the whole it sees, and what a worker has for it.
#pragma once

#include "contrast_slabs.h"

namespace inbatch::cpu {

// All tiles of scores, rows in blocks against columns in lanes, and what backward makes of them.
struct Sweep {
  const ContrastOperands& op;
  Side block, across;
  ContrastTile whole;  // its pointers at the first row or column, at the first width
  void (*kernel)(const ContrastTile&);
  bool is_backward = false;
  float *drows = nullptr, *dcolumns = nullptr;  // added to, or null
  // backward of several widths: sums of G s, (widths, rows) and (widths, columns)
  float *along_rows = nullptr, *along_columns = nullptr;
  const Rules* rules = nullptr;
  Side guide_block{}, guide_across{};  // without vectors when there is no guide

  bool is_nested() const { return !op.widths.empty(); }
};

// The part of the whole that a tile needs at one of the widths.
inline ContrastTile tile_of(const Sweep& sweep, const TilePlace& place, int64_t nested = 0) {
  ContrastTile tile = sweep.whole;
  const int64_t at = nested * sweep.block.count + place.block.begin;
  tile.rows = place.block.count;
  tile.lanes = rounded(place.lanes.count, kPanel);
  tile.stride = kLanes;
  tile.row_factor = sweep.block.factor + nested * sweep.block.factor_row + place.block.begin;
  tile.lane_factor = sweep.across.factor + nested * sweep.across.factor_row + place.lanes.begin;
  for (float** field : {&tile.most, &tile.sum, &tile.total}) {
    if (*field) *field += at;
  }
  if (tile.count) tile.count += at;
  if (tile.along) tile.along += place.block.begin;
  for (const float** field : {&tile.lse, &tile.dlse, &tile.shift}) {
    if (*field) *field += at;
  }
  return tile;
}

// The elements of a vector that a width adds to those before.
inline Span columns_added(const ContrastOperands& op, int64_t nested) {
  const int64_t width = op.rows.cols;
  if (op.widths.empty()) return {0, width};
  const auto at = [&](int64_t n) {
    return n < 0 ? 0 : std::clamp<int64_t>(op.widths.i32()[n], 0, width);
  };
  return {at(nested - 1), std::max<int64_t>(0, at(nested) - at(nested - 1))};
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
  return {floats(1),
          floats(sweep.guide_block.x ? 1 : 0),
          floats(!sweep.is_nested()  ? 0
                 : sweep.is_backward ? sweep.op.width_count()
                                     : 1),
          {bits(true), bits(sweep.rules), bits(sweep.op.hardness != 0)}};
}

inline void multiply(const Side& side, Span block, const float* keys, const ContrastTile& tile,
                     float* scores) {
  kernels().product({side.x + block.begin * side.width, side.width, false, keys,
                     kPanel * side.width, scores, tile.stride, tile.rows, tile.lanes, side.width});
}

}  // namespace inbatch::cpu
