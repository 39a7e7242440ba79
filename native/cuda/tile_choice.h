// Which tiles the blocks of a card take turns at. Of this machine alone: a test asks for it too.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace inbatch::cuda {

inline int64_t tiles_across(int64_t lines, int64_t tile) { return (lines + tile - 1) / tile; }

// How many columns tiles of 128 rows have; 0 if not even those of 128 columns fill `blocks`.
//
// Shared memory is taken to be the limit. A step of a tile of W columns brings 128 + W lines there,
// and two warpgroups each read their 64 and all W: 256 + 3 W together, so wide tiles cost less a
// column. Columns past the edge cost as others do, and so do blocks without a tile in the last
// turn. Of equal ones the widest. With 132 blocks and 8192 rows or more, 384, 768, 1152, 1536, 2304
// and 3072 columns are computed without any beside them.
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

}  // namespace inbatch::cuda
