// Which tiles Hopper's products are cut into. Of this machine alone: a test asks for it too.
//
// A cost is in cycles of a multiprocessor, on paper. Shared memory is taken to be the limit, with a
// line of 128 bytes a cycle; such a line is 64 steps of a row or column.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>

namespace inbatch::cuda {

// How a product of rows is cut: tiles that the groups of a block share, or tiles of their own at
// which they take turns (product_turns.cuh), whichever costs less; or one of them wherever it can
// be, for tests and figures.
enum class Schedule { Cheapest, Shared, Turns };
inline std::atomic<Schedule> wanted_schedule{Schedule::Cheapest};

// Of turns: the columns of a block, whose right operand it keeps, and how deep that may be.
constexpr int kHeldColumns = 192, kHeldDepth = 384;

inline int64_t tiles_across(int64_t lines, int64_t tile) { return (lines + tile - 1) / tile; }

// How many columns tiles of 128 rows have; 0 if not even those of 128 columns fill `blocks`.
//
// A step of a tile of W columns brings 128 + W lines, and two warpgroups each read their 64 and all
// W: 256 + 3 W together, so wide tiles cost less a column. Columns past the edge cost as others do,
// and so do blocks without a tile in the last turn. Of equal ones the widest. With 132 blocks and
// 8192 rows or more, 384, 768, 1152, 1536, 2304 and 3072 columns are computed without any beside
// them.
inline int columns_of_tiles(int64_t rows, int64_t columns, int64_t blocks) {
  const int64_t tall = tiles_across(rows, 128);
  if (tall * tiles_across(columns, 128) < blocks) return 0;
  int chosen = 0;
  int64_t least = INT64_MAX;
  for (const int wide : {256, 192, 128}) {
    const int64_t turns = tiles_across(tall * tiles_across(columns, wide), blocks);
    const int64_t cost = turns * (256 + 3 * wide);
    if (cost >= least) continue;
    chosen = wide;
    least = cost;
  }
  return chosen;
}

// What it costs a warpgroup to end 64 rows of so many columns: some sixteen instructions for each
// sum without an activation, by count of what the compiler makes of them. A thread has half as many
// sums as there are columns, and the four warps issue side by side.
inline int64_t cost_of_ending(int64_t columns) { return 8 * columns; }

// A product of rows in tiles that groups share. Both end at the same time, and issue in turn; small
// tiles, of 64 x 64, are of one group.
inline int64_t cost_of_sharing(int64_t rows, int64_t columns, int64_t depth, int64_t blocks) {
  const int64_t wide = columns_of_tiles(rows, columns, blocks), steps = tiles_across(depth, 64);
  if (wide == 0) {
    const int64_t tiles = tiles_across(rows, 64) * tiles_across(columns, 64);
    return tiles_across(tiles, blocks) * (steps * 4 * 64 + cost_of_ending(64));
  }
  const int64_t tiles = tiles_across(rows, 128) * tiles_across(columns, wide);
  return tiles_across(tiles, blocks) * (steps * (256 + 3 * wide) + 2 * cost_of_ending(wide));
}

// How many blocks have the same columns when groups take turns.
inline int64_t blocks_of_columns(int64_t rows, int64_t columns, int64_t blocks) {
  const int64_t each = blocks / tiles_across(columns, kHeldColumns);
  const int64_t tall = tiles_across(rows, 64);
  return each < 1 ? 1 : each < tall ? each : tall;
}

// The same by groups that take turns. The right operand comes once; then a step costs what the
// tensor cores take, for a group reads and brings fewer lines. A tile ends beside the next one's
// products, if these last as long, and the last one by itself.
inline int64_t cost_of_turns(int64_t rows, int64_t columns, int64_t depth, int64_t blocks) {
  const int64_t wide = tiles_across(columns, kHeldColumns), steps = tiles_across(depth, 64);
  const int64_t each = blocks_of_columns(rows, columns, blocks);
  const int64_t tiles = tiles_across(tiles_across(rows, 64), each);
  const int64_t multiplies = steps * 2 * kHeldColumns, ends = cost_of_ending(kHeldColumns);
  const int64_t tile = ends < multiplies ? multiplies : (multiplies + ends) / 2;
  return tiles_across(wide * each, blocks) * (steps * kHeldColumns + tiles * tile + ends);
}

inline bool takes_turns(int64_t rows, int64_t columns, int64_t depth, int64_t blocks) {
  const Schedule wanted = wanted_schedule.load(std::memory_order_relaxed);
  if (depth > kHeldDepth || wanted == Schedule::Shared) return false;
  return wanted == Schedule::Turns || cost_of_turns(rows, columns, depth, blocks) <
                                          cost_of_sharing(rows, columns, depth, blocks);
}

}  // namespace inbatch::cuda
