// How a product with a weight is cut into items for threads: 96 rows by a strip of columns.
#pragma once

#include <algorithm>

#include "../base/parallel.h"
#include "../ops/linear.h"

namespace inbatch::cpu {

constexpr int64_t kStripRows = 96;           // rows of x at once: 147 KiB at a depth of 384
constexpr int64_t kItem = int64_t(1) << 27;  // multiply-adds of one item at most, about 3 ms

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Columns of one strip: so many strips that no thread waits long for the last item of another.
// Panels pass the rows strip by strip as they would at once, so that narrow strips cost nothing but
// the taking of an item, some tenths of a microsecond.
inline int64_t strip_of(const Stream& stream, int64_t rows, int64_t columns, int64_t depth) {
  constexpr int64_t kLeast = int64_t(1) << 20;  // multiply-adds of an item, some 10 us
  const int64_t blocks = ceil_div(rows, kStripRows), threads = stream.threads();
  const int64_t items = std::clamp(rows * columns * depth / kLeast, 4 * threads, 32 * threads);
  const int64_t strips = threads > 1 ? ceil_div(items, blocks) : 1;
  const int64_t limit =
      std::max<int64_t>(32, kItem / (std::min(rows, kStripRows) * depth) / 32 * 32);
  return std::min(limit, std::max<int64_t>(32, ceil_div(ceil_div(columns, strips), 32) * 32));
}

// A part of a product: its first row and column, and how many; whose scratch is free for it.
struct Strip {
  int64_t row, column, rows, columns;
  int worker;
};

// work(strip) for all parts of a product of such extents. Strips are at least `wide` columns where
// that leaves each thread some.
template <class Work>
void for_each_strip(const Stream& stream, int64_t rows, int64_t columns, int64_t depth,
                    const Work& work, int64_t wide = 0) {
  if (rows == 0 || columns == 0) return;
  const int64_t blocks = ceil_div(rows, kStripRows);
  const bool may_widen = blocks * (columns / std::max<int64_t>(wide, 1)) >= 2 * stream.threads();
  const int64_t strip =
      std::max(strip_of(stream, rows, columns, depth), may_widen ? wide : int64_t(0));
  stream.parallel_for(blocks * ceil_div(columns, strip), [&](int64_t item, int worker) {
    const int64_t row = item % blocks * kStripRows, column = item / blocks * strip;
    work(Strip{row, column, std::min(kStripRows, rows - row), std::min(strip, columns - column),
               worker});
  });
}

}  // namespace inbatch::cpu
