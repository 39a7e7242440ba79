// Arithmetic on matrices, for losses: functions of elements, sums, dots, log of sums of
// exponentials.
//
// All matrices are f32. An extent of 1 stands for every row or column where a contract says spread.
// Products of matrices are made of linear.h, unit rows of pool.h, copies of layout.h.
#pragma once

#include "op.h"
#include "types.h"

namespace inbatch {

// scale: p x; shift: x + p; clamp: max(x, p); softplus: log(1 + e^x); p is the op's parameter.
enum class Map : uint8_t {
  Scale,
  Shift,
  Clamp,
  Relu,
  Exp,
  Log,
  Sqrt,
  Square,
  Abs,
  Tanh,
  Sigmoid,
  Softplus
};
// logAddExp: log(e^a + e^b).
enum class Combine : uint8_t { Add, Subtract, Multiply, Divide, LogAddExp };

template <>
struct Words<Map> {
  static constexpr const char* list[] = {"scale", "shift",  "clamp", "relu", "exp",     "log",
                                         "sqrt",  "square", "abs",   "tanh", "sigmoid", "softplus"};
};
template <>
struct Words<Combine> {
  static constexpr const char* list[] = {"add", "subtract", "multiply", "divide", "logAddExp"};
};

// Whether an extent is `whole`, or 1 and stands for all of it.
inline void expect_spread(const char* op, const char* field, const Tensor& x, const Tensor& whole) {
  if (x.rows != 1) expect_rows(op, field, x, whole.rows);
  if (x.cols != 1) expect_columns(op, field, x, whole.cols);
}

// y = f(x). Not a number stays so.
//
//   x  (M, C) read
//   y  (M, C) overwritten; may be x
struct MapForward {
  Map function = Map::Scale;
  float parameter = 0;
  Tensor x, y;

  static constexpr auto name = "mapForward";
  static constexpr auto fields() {
    using Op = MapForward;
    return std::tuple{field("function", &Op::function), field("parameter", &Op::parameter),
                      field("x", &Op::x), field("y", &Op::y)};
  }
  void check() const {
    expect_f32(name, {{"x", x}, {"y", y}});
    expect_same_shape(name, "y", y, x);
  }
};

// dx = dy f'(x). Where f has a corner: relu and abs have slope 0 at 0, clamp has slope 1 at p, sqrt
// has slope 0 at 0 (so that the distance of equal rows pulls nowhere).
//
//   x dy  (M, C) read; x is what f was applied to
//   dx    (M, C) overwritten; may be x or dy
struct MapBackward {
  Map function = Map::Scale;
  float parameter = 0;
  Tensor x, dy, dx;

  static constexpr auto name = "mapBackward";
  static constexpr auto fields() {
    using Op = MapBackward;
    return std::tuple{field("function", &Op::function), field("parameter", &Op::parameter),
                      field("x", &Op::x), field("dy", &Op::dy), field("dx", &Op::dx)};
  }
  void check() const {
    expect_f32(name, {{"x", x}, {"dy", dy}, {"dx", dx}});
    expect_same_shape(name, "dy", dy, x);
    expect_same_shape(name, "dx", dx, x);
  }
};

// y = f(a, b), a and b spread over y. logAddExp of two minus infinities is minus infinity.
//
//   a b  (M or 1, C or 1) read
//   y    (M, C) overwritten; may be a or b of the same shape
struct CombineForward {
  Combine function = Combine::Add;
  Tensor a, b, y;

  static constexpr auto name = "combineForward";
  static constexpr auto fields() {
    using Op = CombineForward;
    return std::tuple{field("function", &Op::function), field("a", &Op::a), field("b", &Op::b),
                      field("y", &Op::y)};
  }
  void check() const {
    expect_f32(name, {{"a", a}, {"b", b}, {"y", y}});
    expect_spread(name, "a", a, y);
    expect_spread(name, "b", b, y);
  }
};

// da = dy df/da and db = dy df/db, element by element of y: who spread an operand sums it again
// with Reduce. logAddExp has slope 0 by an operand that is minus infinity.
//
//   a b    (M or 1, C or 1) read
//   dy     (M, C) read
//   da db  (M, C) overwritten, each may be empty; may be dy when the other is empty
struct CombineBackward {
  Combine function = Combine::Add;
  Tensor a, b, dy, da, db;

  static constexpr auto name = "combineBackward";
  static constexpr auto fields() {
    using Op = CombineBackward;
    return std::tuple{field("function", &Op::function),
                      field("a", &Op::a),
                      field("b", &Op::b),
                      field("dy", &Op::dy),
                      field("da", &Op::da),
                      field("db", &Op::db)};
  }
  void check() const {
    expect_f32(name, {{"a", a}, {"b", b}, {"dy", dy}, {"da", da}, {"db", db}});
    expect_spread(name, "a", a, dy);
    expect_spread(name, "b", b, dy);
    if (!da.empty()) expect_same_shape(name, "da", da, dy);
    if (!db.empty()) expect_same_shape(name, "db", db, dy);
  }
};

// y = scale * the sum of x over the extents in which y is 1: row sums, column sums, or all.
//
//   x  (M, C) read
//   y  (M or 1, C or 1) overwritten
//
// Sums run in double, in an order that depends on the width alone, and are rounded once. A sum over
// nothing is zero.
struct Reduce {
  float scale = 1;
  Tensor x, y;

  static constexpr auto name = "reduce";
  static constexpr auto fields() {
    using Op = Reduce;
    return std::tuple{field("scale", &Op::scale), field("x", &Op::x), field("y", &Op::y)};
  }
  void check() const {
    expect_f32(name, {{"x", x}, {"y", y}});
    expect_spread(name, "y", y, x);
  }
};

// y = scale * x, x spread over y: the gradient of Reduce.
//
//   x  (M or 1, C or 1) read
//   y  (M, C) overwritten
struct Spread {
  float scale = 1;
  Tensor x, y;

  static constexpr auto name = "spread";
  static constexpr auto fields() {
    using Op = Spread;
    return std::tuple{field("scale", &Op::scale), field("x", &Op::x), field("y", &Op::y)};
  }
  void check() const {
    expect_f32(name, {{"x", x}, {"y", y}});
    expect_spread(name, "x", x, y);
  }
};

// y[n] = a[n] . b[n], in chains whose number follows from the width alone.
//
//   a b  (M, C) read
//   y    (M, 1) overwritten
struct RowDots {
  Tensor a, b, y;

  static constexpr auto name = "rowDots";
  static constexpr auto fields() {
    using Op = RowDots;
    return std::tuple{field("a", &Op::a), field("b", &Op::b), field("y", &Op::y)};
  }
  void check() const {
    expect_f32(name, {{"a", a}, {"b", b}, {"y", y}});
    expect_same_shape(name, "b", b, a);
    expect_shape(name, "y", y, a.rows, 1);
  }
};

// y[n] = log sum over columns of e^x[n]. Elements may be minus infinity; a row of nothing else, or
// of no columns, gives minus infinity.
//
//   x  (M, C) read
//   y  (M, 1) overwritten
struct LogSumExpForward {
  Tensor x, y;

  static constexpr auto name = "logSumExpForward";
  static constexpr auto fields() {
    using Op = LogSumExpForward;
    return std::tuple{field("x", &Op::x), field("y", &Op::y)};
  }
  void check() const {
    expect_f32(name, {{"x", x}, {"y", y}});
    expect_shape(name, "y", y, x.rows, 1);
  }
};

// dx[n] = dy[n] e^(x[n] - y[n]); zero where x[n] is more than 87 below y[n], or y[n] is infinite.
//
//   x   (M, C), y dy (M, 1) read; y of LogSumExpForward
//   dx  (M, C) overwritten
struct LogSumExpBackward {
  Tensor x, y, dy, dx;

  static constexpr auto name = "logSumExpBackward";
  static constexpr auto fields() {
    using Op = LogSumExpBackward;
    return std::tuple{field("x", &Op::x), field("y", &Op::y), field("dy", &Op::dy),
                      field("dx", &Op::dx)};
  }
  void check() const {
    expect_f32(name, {{"x", x}, {"y", y}, {"dy", dy}, {"dx", dx}});
    expect_shape(name, "y", y, x.rows, 1);
    expect_shape(name, "dy", dy, x.rows, 1);
    expect_same_shape(name, "dx", dx, x);
  }
};

}  // namespace inbatch
