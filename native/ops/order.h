// How many pairs of elements stand in another order than a teacher's, and by how much.
#pragma once

#include "matrix.h"

namespace inbatch {

// With x and t the M = N (N - 1) / 2 elements of two matrices above their diagonals, row after row,
// over pairs m < n of places:
//
//   value = 2 / (M (M - 1)) sum max(0, y_mn (x_n - x_m) + margin), y_mn = 1 if t_n < t_m, else -1
//   slope = dvalue / dx at its place above the diagonal, 0 elsewhere
//
//   found   (N, N) f32, N below 46341; holds x
//   wanted  (N, N) f32; holds t
//   value   (1, 1) f32, overwritten
//   slope   (N, N) f32, overwritten, or empty
//
// Exact, in memory of the order of N^2: a pair adds where x_l - x_h + margin > 0, in f32, for the
// one that the teacher has lower and the one higher, of equal ones the earlier lower. The slope is
// a whole number times the factor, rounded once; the value is summed in f64. Less than two elements
// give 0. Where an element of x or t is not finite, value and slope are NaN.
struct OrderedPairs {
  Tensor found, wanted, value, slope;
  float margin = 0;

  static constexpr int64_t kMostRows = 46340;
  static constexpr auto name = "orderedPairs";
  static constexpr auto fields() {
    using Op = OrderedPairs;
    return std::tuple{field("found", &Op::found), field("wanted", &Op::wanted),
                      field("margin", &Op::margin), field("value", &Op::value),
                      field("slope", &Op::slope)};
  }
  void check() const {
    expect_columns(name, "found", found, found.rows);
    expect_same_shape(name, "wanted", wanted, found);
    expect_size(name, "value", value, 1);
    if (!slope.empty()) expect_same_shape(name, "slope", slope, found);
    expect(found.rows <= kMostRows, name,
           "expected at most " + std::to_string(kMostRows) + " rows, got " +
               std::to_string(found.rows));
    expect_f32(name, {{"found", found}, {"wanted", wanted}, {"value", value}, {"slope", slope}});
  }
};

}  // namespace inbatch
