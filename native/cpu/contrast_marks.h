// Which scores of a tile count: a bit for each, set by class of column and cleared by the rules
// that need no score. Contract: ops/contrast.h.
//
// A tile has a block of the rows against some of the columns as lanes. Keys are compared as floats,
// in which whole numbers below 2^24 are exact and NaN equals nothing.
#pragma once

#include <algorithm>
#include <cmath>

#include "../base/arena.h"
#include "../ops/contrast.h"
#include "../ops/linear.h"
#include "kernels.h"

namespace inbatch::cpu {

// Columns that a tile sets against the rows of its block: whole panels, and whole groups of every
// tile_rows.
constexpr int64_t kLanes = 192;

struct Span {
  int64_t begin, count;
};

// Where a tile lies.
struct TilePlace {
  Span block, lanes;
};

// The bits of a tile, (block, words). `kept` are a row's own positives, which no rule removes, and
// `weighted` those that hardness weighs; null where nobody asks.
struct Marks {
  uint16_t *candidates, *kept, *weighted;
};

inline bool admits(const ContrastOperands& op, int64_t column, bool owned) {
  return op.admits(column, owned);
}
inline bool keeps(const ContrastOperands& op, int64_t column, bool owned) {
  return owned && column < op.positives;
}
inline bool weighs(const ContrastOperands& op, int64_t column, bool owned) {
  return owned ? op.weighs_own && column >= op.positives : op.weighs_others;
}

inline void put(uint16_t* bits, int64_t lane, bool on) {
  const auto bit = uint16_t(1u << lane % 16);
  bits[lane / 16] = uint16_t(on ? bits[lane / 16] | bit : bits[lane / 16] & ~bit);
}

// Marks by class.
template <class Class>
void mark_columns(const ContrastOperands& op, Span rows, Span columns, uint16_t* bits,
                  Class belongs) {
  const int64_t words = panels_of(columns.count);
  uint16_t common[kLanes / 16] = {};
  for (int64_t lane = 0; lane < columns.count; ++lane) {
    put(common, lane, belongs(op, columns.begin + lane, false));
  }
  for (int64_t row = 0; row < rows.count; ++row) std::copy_n(common, words, bits + row * words);
  for (int64_t lane = 0; lane < columns.count; ++lane) {
    const int64_t column = columns.begin + lane;
    const int64_t row = int64_t(op.owner.i32()[column]) - rows.begin;
    if (row >= 0 && row < rows.count) put(bits + row * words, lane, belongs(op, column, true));
  }
}

// The rules of an op as kernels read them: keys as floats, everything readable 16 beyond its end.
struct Rules {
  const ContrastRules& op;
  float* list_keys;
  float* column_keys;  // (R, column_row)
  int64_t column_row;
  float *row_set, *column_set;
  const float *limit, *guide_limit;
  // forward, by row of the op: pairs removed by each rule, the best score removed and its column
  int32_t* removed = nullptr;
  float* best = nullptr;
  int32_t* best_column = nullptr;

  int32_t* counter(int64_t row, int64_t rule) const {
    return removed ? removed + row * op.rules() + rule : nullptr;
  }
};

inline float* padded_keys(Arena& arena, const Tensor& keys) {
  if (keys.empty()) return nullptr;
  const int64_t rows = keys.rows, width = keys.cols + kPanel;
  float* out = arena.tensor(rows, width).f32();
  for (int64_t i = 0; i < rows * width; ++i) {
    const int64_t column = i % width;
    const int32_t key = column < keys.cols ? keys.i32()[i / width * keys.cols + column] : -1;
    out[i] = key >= 0 && key < 1 << 24 ? float(key) : std::nanf("");
  }
  return out;
}

inline float* padded_keys_of_column(Arena& arena, Tensor keys) {
  keys.cols = keys.size();
  keys.rows = 1;
  return padded_keys(arena, keys);
}

inline Rules rules_of(Arena& arena, const ContrastOperands& op) {
  return {.op = op,
          .list_keys = padded_keys_of_column(arena, op.list_keys),
          .column_keys = padded_keys(arena, op.column_keys),
          .column_row = op.columns.rows + kPanel,
          .row_set = padded_keys_of_column(arena, op.row_set),
          .column_set = padded_keys_of_column(arena, op.column_set),
          .limit = op.limit.f32(),
          .guide_limit = op.guide_limit.f32()};
}

// Clears the hits of a row of the tile that are candidates and not kept.
inline void strike(const Marks& marks, int64_t at, const uint16_t* hits, int64_t words,
                   int32_t* count) {
  for (int64_t w = 0; w < words; ++w) {
    uint16_t& bits = marks.candidates[at + w];
    const auto gone = uint16_t(bits & hits[w] & ~marks.kept[at + w]);
    if (!gone) continue;
    bits = uint16_t(bits & ~gone);
    if (count) *count += __builtin_popcount(gone);
  }
}

// The keys of a row in a list; offsets that do not fit are cut to what is there.
struct KeyList {
  const float* keys;
  int64_t count;
};

inline KeyList keys_of(const Rules& rules, int64_t list, int64_t row) {
  const Tensor& offsets = rules.op.list_offsets;
  const int32_t* at = offsets.i32() + list * offsets.cols + row;
  const int64_t size = rules.op.list_keys.size();
  const int64_t begin = std::clamp<int64_t>(at[0], 0, size);
  return {rules.list_keys + begin, std::clamp<int64_t>(at[1], begin, size) - begin};
}

inline void strike_list(const Rules& rules, int64_t list, const TilePlace& place,
                        const Marks& marks) {
  const int64_t words = panels_of(place.lanes.count);
  const float* columns = rules.column_keys + list * rules.column_row + place.lanes.begin;
  uint16_t hits[kLanes / 16];
  for (int64_t i = 0; i < place.block.count; ++i) {
    const int64_t row = place.block.begin + i;
    const KeyList wanted = keys_of(rules, list, row);
    if (wanted.count == 0) continue;
    kernels().contrast_equal(columns, words, wanted.keys, wanted.count, hits);
    strike(marks, i * words, hits, words, rules.counter(row, list));
  }
}

inline void strike_sets(const Rules& rules, const TilePlace& place, const Marks& marks) {
  const int64_t words = panels_of(place.lanes.count);
  const float* block = rules.row_set + place.block.begin;
  const float* lanes = rules.column_set + place.lanes.begin;
  uint16_t hits[kLanes / 16];
  for (int64_t i = 0; i < place.block.count; ++i) {
    if (i == 0 || block[i] != block[i - 1]) {
      kernels().contrast_equal(lanes, words, block + i, 1, hits);
      for (int64_t w = 0; w < words; ++w) hits[w] = uint16_t(~hits[w]);
    }
    int32_t* count = rules.counter(place.block.begin + i, rules.op.list_offsets.rows);
    strike(marks, i * words, hits, words, count);
  }
}

// Marks a tile by class, then by all rules that need no score.
inline void mark_tile(const ContrastOperands& op, const Rules* rules, const TilePlace& place,
                      const Marks& marks) {
  const auto mark = [&](uint16_t* bits, auto belongs) {
    if (bits) mark_columns(op, place.block, place.lanes, bits, belongs);
  };
  mark(marks.candidates, admits);
  mark(marks.kept, keeps);
  mark(marks.weighted, weighs);
  if (!rules) return;
  for (int64_t list = 0; list < op.list_offsets.rows; ++list) {
    strike_list(*rules, list, place, marks);
  }
  if (rules->row_set) strike_sets(*rules, place, marks);
}

}  // namespace inbatch::cpu
