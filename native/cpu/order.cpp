// Pairs in another order than a teacher's. Contract: ops/order.h.
//
// In the teacher's order, all elements before one are those it should stay above. So the pairs that
// count are found by a merge sort of x that begins in the teacher's order: when two runs join,
// every element of the left is lower than every one of the right, and which of the other run count
// is a prefix or suffix of it. Each element knows its place in the joined run by one walk along the
// other, so a level is cut into items anywhere; numbers of pairs are whole, so no cut is seen in
// the result. M log M steps instead of M^2 / 2.
#include "../ops/order.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "../ops/run.h"
#include "loops.h"

namespace inbatch::cpu {
namespace {

struct Element {
  float x;
  int32_t place;
};

struct Elements {
  Element *now, *spare;
  int64_t count;
};

// What joining runs counts: by place how often an element is lower less how often it is higher.
struct Turned {
  float margin;
  int32_t* counts;
  std::atomic<int64_t> pairs{0};

  bool is_turned(float lower, float higher) const { return (lower - higher) + margin > 0; }
};

// Two neighbouring runs, of which [begin, end) is to be placed.
struct Join {
  const Element* from;
  Element* to;
  int64_t base, middle, stop;
  int64_t begin, end;
};

void place_left(const Join& join, Turned* turned) {
  const Element *right = join.from + join.middle, *last = join.from + join.stop;
  const float first = join.from[join.begin].x;
  const Element* smaller =
      std::partition_point(right, last, [&](const Element& e) { return e.x < first; });
  const Element* below = right;  // the end of those that this one should stay below and does not
  if (turned) {
    below = std::partition_point(right, last,
                                 [&](const Element& e) { return turned->is_turned(first, e.x); });
  }
  int64_t pairs = 0;
  for (int64_t i = join.begin; i < join.end; ++i) {
    const Element element = join.from[i];
    while (smaller < last && smaller->x < element.x) ++smaller;
    join.to[i + (smaller - right)] = element;
    if (!turned) continue;
    while (below < last && turned->is_turned(element.x, below->x)) ++below;
    turned->counts[element.place] += int32_t(below - right);
    pairs += below - right;
  }
  if (turned) turned->pairs += pairs;
}

void place_right(const Join& join, Turned* turned) {
  const Element *left = join.from + join.base, *last = join.from + join.middle;
  const float first = join.from[join.begin].x;
  const Element* up_to =
      std::partition_point(left, last, [&](const Element& e) { return e.x <= first; });
  const Element* fine = left;
  if (turned) {
    fine = std::partition_point(left, last,
                                [&](const Element& e) { return !turned->is_turned(e.x, first); });
  }
  for (int64_t i = join.begin; i < join.end; ++i) {
    const Element element = join.from[i];
    while (up_to < last && up_to->x <= element.x) ++up_to;
    join.to[i - (last - up_to)] = element;
    if (!turned) continue;
    while (fine < last && !turned->is_turned(fine->x, element.x)) ++fine;
    turned->counts[element.place] -= int32_t(last - fine);
  }
}

// Joins neighbouring runs of that length.
void join_runs(const Stream& stream, const Elements& all, int64_t run, Turned* turned) {
  over_rows(stream, all.count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end;) {
      const int64_t base = at / (2 * run) * (2 * run);
      const int64_t middle = std::min(base + run, all.count);
      const int64_t stop = std::min(base + 2 * run, all.count);
      const int64_t until = std::min(end, at < middle ? middle : stop);
      const Join join{all.now, all.spare, base, middle, stop, at, until};
      at < middle ? place_left(join, turned) : place_right(join, turned);
      at = until;
    }
  });
}

// Sorts by x; equal elements keep their order.
void sort(const Stream& stream, Elements& all, Turned* turned) {
  for (int64_t run = 1; run < all.count; run *= 2) {
    join_runs(stream, all, run, turned);
    std::swap(all.now, all.spare);
  }
}

// visit(place, element of the matrix) for what stands above the diagonal.
template <class F>
void above_diagonal(const Stream& stream, int64_t rows, F visit) {
  over_rows(stream, rows, rows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t place = row * (2 * rows - row - 1) / 2;
      for (int64_t column = row + 1; column < rows; ++column) visit(place++, row * rows + column);
    }
  });
}

// A sum whose order depends on nothing but the number of terms.
double sum_of_products(const Stream& stream, const int32_t* counts, const float* x, int64_t count) {
  const int64_t parts = (count + kItemSize - 1) / kItemSize;
  auto* sums = static_cast<double*>(stream.scratch().push(size_t(parts) * sizeof(double)));
  stream.parallel_for(parts, [&](int64_t part, int) {
    const int64_t end = std::min(count, (part + 1) * kItemSize);
    sums[part] = 0;
    for (int64_t i = part * kItemSize; i < end; ++i) sums[part] += double(counts[i]) * double(x[i]);
  });
  double sum = 0;
  for (int64_t part = 0; part < parts; ++part) sum += sums[part];
  return sum;
}

void write(const Stream& stream, const OrderedPairs& op, double value, const int32_t* counts,
           double factor) {
  op.value.f32()[0] = float(value);
  if (op.slope.empty()) return;
  over_elements(stream, op.slope.size(), [&](int64_t i) { op.slope.f32()[i] = 0; });
  above_diagonal(stream, op.found.rows, [&](int64_t place, int64_t at) {
    op.slope.f32()[at] = float(counts ? factor * double(counts[place]) : factor);
  });
}

}  // namespace

template <>
void run<OrderedPairs>(const Stream& stream, const OrderedPairs& op) {
  Arena& arena = stream.scratch();
  Scope scope(arena);
  const int64_t rows = op.found.rows, count = rows * (rows - 1) / 2;
  if (count < 2) return write(stream, op, 0, nullptr, 0);
  const auto elements = [&] {
    return static_cast<Element*>(arena.push(size_t(count) * sizeof(Element)));
  };
  Elements all{elements(), elements(), count};
  float* x = arena.tensor(1, count).f32();
  std::atomic<bool> is_finite{true};
  above_diagonal(stream, rows, [&](int64_t place, int64_t at) {
    const float found = op.found.f32()[at], wanted = op.wanted.f32()[at];
    if (!std::isfinite(found) || !std::isfinite(wanted)) is_finite = false;
    x[place] = found;
    all.now[place] = {wanted, int32_t(place)};
  });
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  if (!is_finite) return write(stream, op, kNan, nullptr, kNan);

  sort(stream, all, nullptr);
  Turned turned{op.margin, arena.tensor(1, count, Type::I32).i32()};
  over_elements(stream, count, [&](int64_t i) {
    all.now[i].x = x[all.now[i].place];
    turned.counts[i] = 0;
  });
  sort(stream, all, &turned);
  const double factor = 2.0 / (double(count) * double(count - 1));
  const double sum = sum_of_products(stream, turned.counts, x, count) +
                     double(op.margin) * double(turned.pairs.load());
  write(stream, op, factor * sum, turned.counts, factor);
}

}  // namespace inbatch::cpu
