// Pairs in another order than a teacher's. Contract: ops/order.h.
//
// As on this machine (cpu/order.cpp): a merge sort by what the teacher says, then one by x that
// begins in the teacher's order, whose joins count the pairs. A launch joins all runs of a length;
// a thread has an element and finds by bisection its place in the joined run and how many of the
// other run it is turned with, which are a prefix or a suffix. log M launches for each sort, of
// M log M reads, that neighbours mostly share. Once an element is found not to be finite all that
// follows ends at once, since what is no number has no place.
#include "../ops/order.h"

#include <utility>

#include "elements.cuh"
#include "sums.cuh"

namespace inbatch::cuda {
namespace {

struct Element {
  float x;
  int32_t place;
};

// All of it in scratch; m: elements above the diagonal.
struct Sorting {
  int64_t m;
  float margin;
  const int32_t* strange;   // how many elements are not finite
  float* x;                 // by place
  int32_t *counts, *lower;  // by place: how often lower less how often higher, how often lower
  bool counts_turned;

  DEVICE bool is_turned(float low, float high) const { return (low - high) + margin > 0.0f; }
};

// The first of [begin, end) for which `is_before` is false; true ones come before false ones.
template <class Test>
DEVICE int64_t partition_point(int64_t begin, int64_t end, const Test& is_before) {
  while (begin < end) {
    const int64_t middle = begin + (end - begin) / 2;
    if (is_before(middle)) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

// Joins neighbouring runs of a length. Equal elements keep their order.
struct Join {
  Sorting sorting;
  const Element* from;
  Element* to;
  int64_t run;

  DEVICE void operator()(int64_t i) const {
    if (*sorting.strange > 0) return;
    const Sorting& s = sorting;
    const int64_t base = i / (2 * run) * (2 * run);
    const int64_t middle = base + run < s.m ? base + run : s.m;
    const int64_t stop = base + 2 * run < s.m ? base + 2 * run : s.m;
    const Element mine = from[i];
    if (i < middle) {
      const int64_t smaller =
          partition_point(middle, stop, [&](int64_t at) { return from[at].x < mine.x; });
      to[i + (smaller - middle)] = mine;
      if (!s.counts_turned) return;
      const int64_t end = partition_point(
          middle, stop, [&](int64_t at) { return s.is_turned(mine.x, from[at].x); });
      s.counts[mine.place] += int32_t(end - middle);
      s.lower[mine.place] += int32_t(end - middle);
      return;
    }
    const int64_t up_to =
        partition_point(base, middle, [&](int64_t at) { return from[at].x <= mine.x; });
    to[i - (middle - up_to)] = mine;
    if (!s.counts_turned) return;
    const int64_t fine =
        partition_point(base, middle, [&](int64_t at) { return !s.is_turned(from[at].x, mine.x); });
    s.counts[mine.place] -= int32_t(middle - fine);
  }
};

// The place of element (row, column) above the diagonal.
DEVICE int64_t place_of(int64_t row, int64_t column, int64_t rows) {
  return row * (2 * rows - row - 1) / 2 + column - row - 1;
}

// Grid (rows / 8), 256 threads: a warp has a row.
__global__ void __launch_bounds__(kRowThreads)
    read_above_diagonal(const float* found, const float* wanted, int64_t rows, float* x,
                        Element* elements, int32_t* strange) {
  const int64_t row = row_of_warp();
  if (row >= rows) return;
  for (int64_t column = row + 1 + lane_of_row(); column < rows; column += 32) {
    const int64_t at = row * rows + column, place = place_of(row, column, rows);
    x[place] = found[at];
    elements[place] = {wanted[at], int32_t(place)};
    const bool is_finite = fabsf(found[at]) <= 3.4028235e38f && fabsf(wanted[at]) <= 3.4028235e38f;
    if (!is_finite) atomicAdd(strange, 1);
  }
}

// From the teacher's order on elements are sorted by their own x.
struct TakeFound {
  const float* x;
  const int32_t* strange;
  Element* elements;
  DEVICE void operator()(int64_t i) const {
    if (*strange == 0) elements[i].x = x[elements[i].place];
  }
};

struct Turned {
  const int32_t *strange, *counts, *lower;
  double margin;
  DEVICE double operator()(float x, int64_t place) const {
    if (*strange > 0) return 0;
    return double(counts[place]) * double(x) + margin * double(lower[place]);
  }
};

DEVICE float no_number() { return __uint_as_float(0x7fc00000u); }

struct StoreValue {
  const int32_t* strange;
  double factor;
  float* value;
  DEVICE void operator()(int64_t, double sum) const {
    *value = *strange > 0 ? no_number() : float(factor * sum);
  }
};

struct StoreSlope {
  const int32_t *strange, *counts;
  int64_t rows;
  double factor;
  float* slope;
  DEVICE void operator()(int64_t at) const {
    const int64_t row = at / rows, column = at - row * rows;
    if (column <= row) {
      slope[at] = 0.0f;
    } else if (*strange > 0) {
      slope[at] = no_number();
    } else {
      slope[at] = float(factor * double(counts[place_of(row, column, rows)]));
    }
  }
};

void sort(const Stream& stream, const Sorting& sorting, Element*& now, Element*& spare) {
  for (int64_t run = 1; run < sorting.m; run *= 2) {
    over_elements(stream, sorting.m, Join{sorting, now, spare, run});
    std::swap(now, spare);
  }
}

}  // namespace

template <>
void run<OrderedPairs>(const Stream& stream, const OrderedPairs& op) {
  Arena& arena = stream.scratch();
  Scope scope(arena);
  const int64_t rows = op.found.rows, m = rows * (rows - 1) / 2;
  if (m < 2) {
    stream.clear(op.value.data, sizeof(float));
    return stream.clear(op.slope.data, size_t(op.slope.bytes()));
  }
  int32_t* strange = arena.tensor(1, 1, Type::I32).i32();
  const Tensor x = arena.tensor(1, m);
  const Tensor counts = arena.tensor(2, m, Type::I32);
  const auto elements = [&] { return static_cast<Element*>(arena.push(size_t(m) * 8)); };
  Element *now = elements(), *spare = elements();
  stream.clear(strange, sizeof(int32_t));
  stream.clear(counts.data, size_t(counts.bytes()));
  launch(stream, rows_extent(rows), read_above_diagonal, op.found.f32(), op.wanted.f32(), rows,
         x.f32(), now, strange);
  Sorting sorting{m, op.margin, strange, x.f32(), counts.i32(), counts.i32() + m, false};
  sort(stream, sorting, now, spare);
  over_elements(stream, m, TakeFound{x.f32(), strange, now});
  sorting.counts_turned = true;
  sort(stream, sorting, now, spare);
  const double factor = 2.0 / (double(m) * double(m - 1));
  sum_all(stream, x, Turned{strange, counts.i32(), counts.i32() + m, double(op.margin)},
          StoreValue{strange, factor, op.value.f32()});
  if (op.slope.empty()) return;
  over_elements(stream, rows * rows,
                StoreSlope{strange, counts.i32(), rows, factor, op.slope.f32()});
}

}  // namespace inbatch::cuda
