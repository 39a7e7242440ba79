// Coefficients of some rows against a slab, kept until the gradient of the slab's columns has been
// made of them: dcolumns += G^T rows. See contrast.cpp.
#pragma once

#include "contrast_tiles.h"
#include "outer.h"

namespace inbatch::cpu {

// Rows of a block in backward, and rows in the store: blocks are small so that few threads idle
// where a store ends, the store fits what is left of the last cache.
constexpr int64_t kStoredRows = 48, kStore = 24 * kStoredRows;

struct Store {
  int64_t most;    // rows at most
  int64_t length;  // columns at most, in whole tiles
  int64_t widths;
  float* groups = nullptr;  // by width: of the slab's columns [group][row][tile_rows]
  float* panels = nullptr;  // of the rows' vectors [panel][row][16]
  float* along = nullptr;   // backward of several widths: sums of G s by block, width and column
  uint8_t* met = nullptr;   // by tile of columns, then of rows, whether it has candidates
  Span rows{}, lanes{};     // at present

  int64_t first_row(const TilePlace& place) const { return place.block.begin - rows.begin; }
  int64_t first_column(const TilePlace& place) const { return place.lanes.begin - lanes.begin; }
  float* along_of(const TilePlace& place, int64_t nested) const {
    const int64_t block = first_row(place) / kStoredRows;
    return along + (block * widths + nested) * length + first_column(place);
  }
  float* groups_of(int64_t column, int64_t row, int64_t nested) const {
    return groups + nested * length * most + column * rows.count + row * kernels().tile_rows;
  }
  void keep(float* coefficients, const TilePlace& place, int64_t nested) const {
    const Tensor tile{coefficients, place.block.count, kLanes};
    float* out = groups_of(first_column(place), first_row(place), nested);
    pack_groups(tile, 0, place.lanes.count, rows.count, out);
  }
  void note(const TilePlace& place, bool has_candidates) const {
    const int64_t row = first_row(place), end = row + place.block.count;
    uint8_t* tiles = met + first_column(place) / kLanes * most;
    std::fill(tiles + row, tiles + end, uint8_t(has_candidates));
    if (has_candidates || !along) return;
    for (int64_t nested = 0; nested < widths; ++nested) {
      std::fill_n(along_of(place, nested), rounded(place.lanes.count, kPanel), 0.0f);
    }
  }
  // The rows from the first to the last that meet candidates among the columns around this one.
  Span met_by(int64_t column) const {
    const uint8_t* tiles = met + column / kLanes * most;
    const uint8_t* begin = std::find(tiles, tiles + rows.count, 1);
    const uint8_t* end = tiles + rows.count;
    while (end > begin && !end[-1]) --end;
    return {begin - tiles, end - begin};
  }
};

inline Store store_of(Arena& arena, const Sweep& sweep, int64_t columns) {
  const int64_t widths = sweep.op.width_count();
  const bool has_sums = sweep.is_backward && sweep.is_nested();
  Store store{.most = sweep.dcolumns || has_sums ? kStore : sweep.block.count,
              .length = rounded(columns, kLanes),
              .widths = widths};
  const auto floats = [&](int64_t rows, int64_t cols) { return arena.tensor(rows, cols).f32(); };
  if (has_sums) store.along = floats(kStore / kStoredRows * widths, store.length);
  if (!sweep.dcolumns) return store;
  store.groups = floats(widths * kStore, store.length);
  store.panels = floats(kStore, rounded(sweep.block.width, kPanel));
  store.met = static_cast<uint8_t*>(arena.push(size_t(store.length / kLanes * kStore)));
  return store;
}

// Coefficients between the first and the last that are there.
inline void fill_gaps(const Store& store, int64_t column) {
  const auto [begin, count] = store.met_by(column);
  const uint8_t* tiles = store.met + column / kLanes * store.most;
  const int64_t unit = kernels().tile_rows;
  for (int64_t row = begin; row < begin + count; ++row) {
    if (tiles[row]) continue;
    for (int64_t i = 0; i < store.widths * kLanes; i += unit) {
      std::fill_n(store.groups_of(column + i % kLanes, row, i / kLanes), unit, 0.0f);
    }
  }
}

// Goes on with the gradient of the slab's columns.
inline void add_to_columns(const Stream& stream, const Sweep& sweep, const Store& store) {
  const int64_t width = sweep.across.width, packed = store.rows.count;
  const int64_t tiles = ceil_div(store.lanes.count, kLanes), parts = ceil_div(packed, kPacked);
  bool any = false;
  for (int64_t tile = 0; tile < tiles; ++tile) any = any || store.met_by(tile * kLanes).count > 0;
  if (!any) return;
  const Tensor rows{const_cast<float*>(sweep.block.x) + store.rows.begin * width, packed, width};
  stream.parallel_for(parts + tiles, [&](int64_t item, int) {
    if (item >= parts) return fill_gaps(store, (item - parts) * kLanes);
    const int64_t row = item * kPacked, count = std::min(kPacked, packed - row);
    pack_panels(rows.slice(row, count), 0, width, packed, store.panels + row * kPanel);
  });
  for (int64_t nested = 0; nested < store.widths; ++nested) {
    const Span added = columns_added(sweep.op, nested);
    const Outer whole{store.groups_of(0, 0, nested),
                      store.panels + added.begin * packed,
                      packed,
                      0,
                      sweep.dcolumns + store.lanes.begin * width + added.begin,
                      width,
                      store.lanes.count,
                      added.count};
    for_each_tile(stream, whole.rows, whole.columns, [&](int64_t row, int64_t column) {
      const auto [begin, depth] = store.met_by(row);
      if (depth == 0) return;
      Outer part = whole;
      part.a += begin * kernels().tile_rows;
      part.b += begin * kPanel;
      part.depth = depth;
      add_tile(part, row, column);
    });
  }
}

// Adds up the sums by column, block by block.
inline void add_sums(const Sweep& sweep, const Store& store) {
  const int64_t blocks = ceil_div(store.rows.count, kStoredRows);
  for (int64_t i = 0; i < blocks * store.widths; ++i) {
    const float* in = store.along + i * store.length;
    float* out = sweep.along_columns + i % store.widths * sweep.across.count + store.lanes.begin;
    for (int64_t j = 0; j < store.lanes.count; ++j) out[j] += in[j];
  }
}

}  // namespace inbatch::cpu
