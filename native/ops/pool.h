// Pooling: the rows of each text become one row; and rows of unit length.
#pragma once

#include "op.h"

namespace inbatch {

// y[n] = pool over the rows x[offsets[n] .. offsets[n + 1]).
//
//   x        (T, C) f32
//   offsets  (N + 1) i32, rising, offsets[0] = 0, offsets[N] = T
//   y        (N, C) overwritten
//
// Mean sums in row order. A text of no tokens pools to zero.
struct PoolForward {
  Pooling kind = Pooling::Mean;
  Tensor x, offsets, y;

  static constexpr auto name = "poolForward";
  static constexpr auto fields() {
    using Op = PoolForward;
    return std::tuple{field("kind", &Op::kind), field("x", &Op::x), field("offsets", &Op::offsets),
                      field("y", &Op::y)};
  }
  void check() const {
    expect_columns(name, "y", y, x.cols);
    expect_rows(name, "y", y, offsets.size() - 1);
  }
};

// dx of PoolForward, overwritten in full.
struct PoolBackward {
  Pooling kind = Pooling::Mean;
  Tensor dy, offsets, dx;

  static constexpr auto name = "poolBackward";
  static constexpr auto fields() {
    using Op = PoolBackward;
    return std::tuple{field("kind", &Op::kind), field("dy", &Op::dy),
                      field("offsets", &Op::offsets), field("dx", &Op::dx)};
  }
  void check() const {
    expect_columns(name, "dy", dy, dx.cols);
    expect_rows(name, "dy", dy, offsets.size() - 1);
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
