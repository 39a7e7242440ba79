// Copies of parts of matrices, for losses. All matrices are f32; slices of whole rows are views.
#pragma once

#include "matrix.h"

namespace inbatch {

// y[i, j] = x[i, column + j].
//
//   x  (M, C) read, with column + y.cols <= C
//   y  (M, any) overwritten
struct Cut {
  int64_t column = 0;
  Tensor x, y;

  static constexpr auto name = "cut";
  static constexpr auto fields() {
    using Op = Cut;
    return std::tuple{field("column", &Op::column), field("x", &Op::x), field("y", &Op::y)};
  }
  void check() const {
    expect_f32(name, {{"x", x}, {"y", y}});
    expect_rows(name, "y", y, x.rows);
    expect(column >= 0 && column <= x.cols - y.cols, name,
           "expected columns within " + std::to_string(x.cols) + ", got " + std::to_string(column) +
               " to " + std::to_string(column + y.cols));
  }
};

// y[row + i, column + j] = x[i, j]; the rest of y is zeroed when clear, otherwise left alone.
//
//   x  read
//   y  (M, C) overwritten, with row + x.rows <= M and column + x.cols <= C
struct Paste {
  int64_t row = 0, column = 0;
  bool clear = false;
  Tensor x, y;

  static constexpr auto name = "paste";
  static constexpr auto fields() {
    using Op = Paste;
    return std::tuple{field("row", &Op::row), field("column", &Op::column),
                      field("clear", &Op::clear), field("x", &Op::x), field("y", &Op::y)};
  }
  void check() const {
    expect_f32(name, {{"x", x}, {"y", y}});
    expect(row >= 0 && row <= y.rows - x.rows, name,
           "expected rows within " + std::to_string(y.rows) + ", got " + std::to_string(row) +
               " to " + std::to_string(row + x.rows));
    expect(column >= 0 && column <= y.cols - x.cols, name,
           "expected columns within " + std::to_string(y.cols) + ", got " + std::to_string(column) +
               " to " + std::to_string(column + x.cols));
  }
};

// y[j, i] = x[i, j].
//
//   x  (M, C) read
//   y  (C, M) overwritten
struct Transpose {
  Tensor x, y;

  static constexpr auto name = "transpose";
  static constexpr auto fields() {
    using Op = Transpose;
    return std::tuple{field("x", &Op::x), field("y", &Op::y)};
  }
  void check() const {
    expect_f32(name, {{"x", x}, {"y", y}});
    expect_shape(name, "y", y, x.cols, x.rows);
  }
};

// y[n] = x[n, columns[n]]. A number outside of x is an error of the work, OP_INVALID.
//
//   x        (M, C) read
//   columns  (M) i32, each in [0, C)
//   y        (M, 1) overwritten
struct PickForward {
  Tensor x, columns, y;

  static constexpr auto name = "pickForward";
  static constexpr auto fields() {
    using Op = PickForward;
    return std::tuple{field("x", &Op::x), field("columns", &Op::columns), field("y", &Op::y)};
  }
  void check() const {
    expect_f32(name, {{"x", x}, {"y", y}});
    expect_type(name, "columns", columns, Type::I32);
    expect_size(name, "columns", columns, x.rows);
    expect_shape(name, "y", y, x.rows, 1);
  }
};

// dx[n, columns[n]] = dy[n], zero elsewhere.
//
//   dy, columns  as y and columns of PickForward
//   dx           (M, C) overwritten
struct PickBackward {
  Tensor dy, columns, dx;

  static constexpr auto name = "pickBackward";
  static constexpr auto fields() {
    using Op = PickBackward;
    return std::tuple{field("dy", &Op::dy), field("columns", &Op::columns), field("dx", &Op::dx)};
  }
  void check() const {
    expect_f32(name, {{"dy", dy}, {"dx", dx}});
    expect_type(name, "columns", columns, Type::I32);
    expect_size(name, "columns", columns, dx.rows);
    expect_shape(name, "dy", dy, dx.rows, 1);
  }
};

// y[i] = x[rows[i]]: rows in any order, any of them several times. A number outside of x is an
// error of the work, OP_INVALID.
//
//   x     (M, C) read
//   rows  (N) i32, each in [0, M)
//   y     (N, C) overwritten
struct GatherForward {
  Tensor x, rows, y;

  static constexpr auto name = "gatherForward";
  static constexpr auto fields() {
    using Op = GatherForward;
    return std::tuple{field("x", &Op::x), field("rows", &Op::rows), field("y", &Op::y)};
  }
  void check() const {
    expect_f32(name, {{"x", x}, {"y", y}});
    expect_type(name, "rows", rows, Type::I32);
    expect_shape(name, "y", y, rows.size(), x.cols);
  }
};

// dx[m] = the sum of dy[i] over rows[i] = m, in order of i; zero where there is none.
//
//   dy, rows  as y and rows of GatherForward
//   dx        (M, C) overwritten
struct GatherBackward {
  Tensor dy, rows, dx;

  static constexpr auto name = "gatherBackward";
  static constexpr auto fields() {
    using Op = GatherBackward;
    return std::tuple{field("dy", &Op::dy), field("rows", &Op::rows), field("dx", &Op::dx)};
  }
  void check() const {
    expect_f32(name, {{"dy", dy}, {"dx", dx}});
    expect_type(name, "rows", rows, Type::I32);
    expect_shape(name, "dy", dy, rows.size(), dx.cols);
  }
};

}  // namespace inbatch
