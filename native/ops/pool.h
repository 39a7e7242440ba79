// Pooling: the rows of each text become one row; and rows of unit length.
#pragma once

#include "op.h"

namespace inbatch {

// What both directions of pooling expect of their operands.
struct Pooled {
  Pooling kind;
  int64_t at, columns;
  const Tensor &offsets, &skip, &argmax;
};

inline void expect_pooled(const char* op, const char* field, const Tensor& rows,
                          const Pooled& pooled) {
  const int64_t texts = pooled.offsets.size() - 1, end = pooled.at + pooled.columns;
  expect_rows(op, field, rows, texts);
  expect(pooled.at >= 0 && end <= rows.cols, op,
         std::string("expected ") + field + " of at least " + std::to_string(end) +
             " columns, got " + std::to_string(rows.cols));
  expect_type(op, "offsets", pooled.offsets, Type::I32);
  expect_type(op, "skip", pooled.skip, Type::I32);
  expect_type(op, "argmax", pooled.argmax, Type::I32);
  if (!pooled.skip.empty()) expect_size(op, "skip", pooled.skip, texts);
  if (!pooled.argmax.empty()) expect_shape(op, "argmax", pooled.argmax, texts, pooled.columns);
}

// y[n, at + c] = pool over the rows of text n, without its first skip[n], of x[row, c].
//
//   Cls           the first of these rows
//   Max           the largest element; what is no number is larger than everything
//   Mean          their sum divided by their number
//   MeanSqrtLen   their sum divided by the root of their number
//   WeightedMean  the sum of w x divided by the sum of w, w the place of a row in its text from 1
//                 (skipped rows count: the rows after them keep the weight they had)
//   Last          the last of these rows
//
//   at       column of y where these C columns begin; several poolings lie side by side
//   x        (T, C) f32
//   offsets  (N + 1) i32, rising, offsets[0] = 0, offsets[N] = T
//   skip     (N) i32, at least 0, or empty
//   y        (N, at least at + C), columns [at, at + C) overwritten, the others left alone
//   argmax   (N, C) i32, overwritten when kind is Max: the row of x, the first of equal ones, -1
//            where there is none; empty for other kinds, and when there is no backward
//
// Sums run in row order. A text of which no rows are left pools to zero.
struct PoolForward {
  Pooling kind = Pooling::Mean;
  int32_t at = 0;
  Tensor x, offsets, skip, y, argmax;

  static constexpr auto name = "poolForward";
  static constexpr auto fields() {
    using Op = PoolForward;
    return std::tuple{field("kind", &Op::kind),       field("at", &Op::at),     field("x", &Op::x),
                      field("offsets", &Op::offsets), field("skip", &Op::skip), field("y", &Op::y),
                      field("argmax", &Op::argmax)};
  }
  void check() const { expect_pooled(name, "y", y, {kind, at, x.cols, offsets, skip, argmax}); }
};

// The gradient of PoolForward with respect to x.
//
//   kind, at, offsets, skip, argmax   as there
//   add  whether the gradient is added to dx; otherwise dx is overwritten in full
//   dy   (N, at least at + C) f32
//   dx   (T, C)
struct PoolBackward {
  Pooling kind = Pooling::Mean;
  int32_t at = 0;
  bool add = false;
  Tensor dy, offsets, skip, argmax, dx;

  static constexpr auto name = "poolBackward";
  static constexpr auto fields() {
    using Op = PoolBackward;
    return std::tuple{field("kind", &Op::kind),       field("at", &Op::at),
                      field("add", &Op::add),         field("dy", &Op::dy),
                      field("offsets", &Op::offsets), field("skip", &Op::skip),
                      field("argmax", &Op::argmax),   field("dx", &Op::dx)};
  }
  void check() const {
    expect_pooled(name, "dy", dy, {kind, at, dx.cols, offsets, skip, argmax});
    if (kind == Pooling::Max) expect_shape(name, "argmax", argmax, dy.rows, dx.cols);
  }
};

// y = x / |x| by rows; norm = |x|. A row of zeros stays zero (norm at least 1e-12).
//
//   x     (N, C) f32
//   y     (N, C) overwritten; may be x
//   norm  (N, 1) overwritten
struct NormalizeForward {
  Tensor x, y, norm;

  static constexpr auto name = "normalizeForward";
  static constexpr auto fields() {
    using Op = NormalizeForward;
    return std::tuple{field("x", &Op::x), field("y", &Op::y), field("norm", &Op::norm)};
  }
  void check() const {
    expect_same_shape(name, "y", y, x);
    expect_size(name, "norm", norm, x.rows);
  }
};

// dx = (dy - y (dy . y)) / norm. dx may be dy.
struct NormalizeBackward {
  Tensor y, norm, dy, dx;

  static constexpr auto name = "normalizeBackward";
  static constexpr auto fields() {
    using Op = NormalizeBackward;
    return std::tuple{field("y", &Op::y), field("norm", &Op::norm), field("dy", &Op::dy),
                      field("dx", &Op::dx)};
  }
  void check() const {
    expect_same_shape(name, "dy", dy, y);
    expect_same_shape(name, "dx", dx, y);
    expect_size(name, "norm", norm, y.rows);
  }
};

}  // namespace inbatch
