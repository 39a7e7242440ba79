// How the plain loops of cpu/ are cut into items: some 16384 elements each, far below a
// millisecond.
#pragma once

#include <algorithm>

#include "../base/parallel.h"
#include "../base/tensor.h"

namespace inbatch::cpu {

constexpr int64_t kItemSize = 16384;
constexpr int64_t kStrip = 64;  // columns of a strip

// body(begin, end) over rows, as many at a time as make an item.
template <class F>
void over_rows(const Stream& stream, int64_t rows, int64_t columns, F body) {
  const int64_t step = std::max<int64_t>(1, kItemSize / std::max<int64_t>(1, columns));
  stream.parallel_for((rows + step - 1) / step, [&](int64_t item, int) {
    body(item * step, std::min(rows, (item + 1) * step));
  });
}

// body(text, begin, end) for the part of each text that lies in the rows [begin, end).
template <class F>
void each_text(const Tensor& offsets, int64_t begin, int64_t end, F body) {
  const int32_t *first = offsets.i32(), *last = first + offsets.size() - 1;
  // A row belongs to the text whose end is the first beyond it; a text without rows has no such
  // row.
  const int32_t* next = std::upper_bound(first, last, int32_t(begin));
  for (; begin < end; ++next) {
    const int64_t until = std::min<int64_t>(end, *next);
    if (begin < until) body(next - 1 - first, begin, until);
    begin = until;
  }
}

// The same over all rows of all texts, as many rows at a time as make an item.
template <class F>
void over_texts(const Stream& stream, const Tensor& offsets, int64_t columns, F body) {
  const int64_t rows = offsets.i32()[offsets.size() - 1];
  over_rows(stream, rows, columns,
            [&](int64_t begin, int64_t end) { each_text(offsets, begin, end, body); });
}

// Columns of a strip for each thread, where rows are better read in long pieces.
inline int64_t strip_of_thread(const Stream& stream, int64_t columns) {
  const int64_t share = (columns + stream.threads() - 1) / stream.threads();
  return std::max<int64_t>(1, (share + kStrip - 1) / kStrip) * kStrip;
}

// body(begin, end) over strips of columns, for chains that run along the rows.
template <class F>
void over_columns(const Stream& stream, int64_t columns, F body) {
  stream.parallel_for((columns + kStrip - 1) / kStrip, [&](int64_t item, int) {
    body(item * kStrip, std::min(columns, (item + 1) * kStrip));
  });
}

// body(i) for every element.
template <class F>
void over_elements(const Stream& stream, int64_t size, F body) {
  stream.parallel_for((size + kItemSize - 1) / kItemSize, [&](int64_t item, int) {
    const int64_t end = std::min(size, (item + 1) * kItemSize);
    for (int64_t i = item * kItemSize; i < end; ++i) body(i);
  });
}

}  // namespace inbatch::cpu
