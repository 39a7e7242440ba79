// Elementwise functions. Contract: ops/activation.h.
//
// All but dropout are work on single elements (elements.cuh): each is read once and written once,
// so memory limits them.
#include "../ops/activation.h"

#include "../base/random.h"
#include "elements.cuh"
#include "functions.cuh"
#include "rows.cuh"
#include "types.cuh"

namespace inbatch::cuda {
namespace {

template <class From, class To>
struct ActivateForward {
  Activation kind;
  const From* x;
  To* y;
  DEVICE void operator()(int64_t i) const { y[i] = To(curve_of(kind, float(x[i])).value); }
};

template <class T>
struct ActivateBackward {
  Activation kind;
  const T *x, *dy;
  T* dx;
  DEVICE void operator()(int64_t i) const {
    dx[i] = T(float(dy[i]) * curve_of(kind, float(x[i])).slope);
  }
};

// Where the halves of a row of pre lie: what is bent, and what it multiplies.
struct Halves {
  Activation kind;
  int64_t columns, bent, factor;

  Halves(Activation kind, Gate gate, int64_t columns)
      : kind(kind),
        columns(columns),
        bent(gate == Gate::First ? 0 : columns),
        factor(gate == Gate::First ? columns : 0) {}
  // Where the row of pre begins that element i of y comes from, moved to the column of i.
  DEVICE int64_t start(int64_t i) const { return i + i / columns * columns; }
};

template <class T>
struct GatedForward {
  Halves half;
  const T* pre;
  T* y;
  DEVICE void operator()(int64_t i) const {
    const T* row = pre + half.start(i);
    y[i] = T(curve_of(half.kind, float(row[half.bent])).value * float(row[half.factor]));
  }
};

// dpre may be pre: a thread reads both halves before it writes them.
template <class T>
struct GatedBackward {
  Halves half;
  const T *pre, *dy;
  T* dpre;
  DEVICE void operator()(int64_t i) const {
    const int64_t at = half.start(i);
    const float slope = float(dy[i]), factor = float(pre[at + half.factor]);
    const Curve curve = curve_of(half.kind, float(pre[at + half.bent]));
    dpre[at + half.bent] = T(slope * factor * curve.slope);
    dpre[at + half.factor] = T(slope * curve.value);
  }
};

template <class T>
struct Sum {
  const T *a, *b;
  T* y;
  DEVICE void operator()(int64_t i) const { y[i] = T(float(a[i]) + float(b[i])); }
};

struct Drop {
  RandomKey key;
  uint32_t site, threshold;
  float grow;
  const int32_t *offsets, *numbers;  // null: each row is a text; texts are numbered from 0
  int texts;
};

// Grid (T / 8), 256 threads: a warp has a row, a lane every 32nd column of it. The key of a row is
// computed by all its lanes: it costs a few dozen integer operations, less than a shuffle would
// save.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    drop_rows(Drop drop, T* x, int64_t rows, int64_t columns) {
  const int64_t row = row_of_warp();
  if (row >= rows) return;
  int64_t text = row, place = 0;
  if (drop.offsets) {
    text = text_of_row(drop.offsets, drop.texts, row);
    if (text >= drop.texts) return;  // a row of no text stays as it is
    place = row - drop.offsets[text];
  }
  const uint32_t number = uint32_t(drop.numbers ? drop.numbers[text] : text);
  const uint32_t key = row_key(drop.key, number, drop.site, uint32_t(place));
  for (int64_t column = lane_of_row(); column < columns; column += 32) {
    const bool stays = random_bits(key, uint32_t(column)) >= drop.threshold;
    T& element = x[row * columns + column];
    element = T(float(element) * (stays ? drop.grow : 0.0f));
  }
}

}  // namespace

template <>
void run<ActivationForward>(const Stream& stream, const ActivationForward& op) {
  with_type(op.x, [&](const auto* x) {
    with_type(op.y, [&](auto* y) {
      over_elements(stream, op.x.size(), ActivateForward{op.activation, x, y});
    });
  });
}

template <>
void run<ActivationBackward>(const Stream& stream, const ActivationBackward& op) {
  with_type(op.x, [&](auto* x) {
    using T = std::remove_pointer_t<decltype(x)>;
    over_elements(stream, op.x.size(),
                  ActivateBackward<T>{op.activation, x, op.dy.as<T>(), op.dx.as<T>()});
  });
}

template <>
void run<GateForward>(const Stream& stream, const GateForward& op) {
  const Halves half(op.activation, op.gate, op.y.cols);
  with_type(op.pre, [&](auto* pre) {
    using T = std::remove_pointer_t<decltype(pre)>;
    over_elements(stream, op.y.size(), GatedForward<T>{half, pre, op.y.as<T>()});
  });
}

template <>
void run<GateBackward>(const Stream& stream, const GateBackward& op) {
  const Halves half(op.activation, op.gate, op.dy.cols);
  with_type(op.pre, [&](auto* pre) {
    using T = std::remove_pointer_t<decltype(pre)>;
    over_elements(stream, op.dy.size(),
                  GatedBackward<T>{half, pre, op.dy.as<T>(), op.dpre.as<T>()});
  });
}

template <>
void run<Add>(const Stream& stream, const Add& op) {
  with_type(op.y, [&](auto* y) {
    using T = std::remove_pointer_t<decltype(y)>;
    over_elements(stream, op.y.size(), Sum<T>{op.a.as<T>(), op.b.as<T>(), y});
  });
}

template <>
void run<Dropout>(const Stream& stream, const Dropout& op) {
  if (op.rate == 0) return;
  const Drop drop{{uint32_t(op.seed), uint32_t(op.step)},
                  uint32_t(op.site),
                  dropout_threshold(op.rate),
                  1.0f / (1.0f - op.rate),
                  op.offsets.empty() ? nullptr : op.offsets.i32(),
                  op.texts.empty() ? nullptr : op.texts.i32(),
                  op.offsets.empty() ? 0 : int(op.offsets.size() - 1)};
  with_type(op.x, [&](auto* x) {
    launch(stream, rows_extent(op.x.rows), drop_rows<std::remove_pointer_t<decltype(x)>>, drop, x,
           op.x.rows, op.x.cols);
  });
}

}  // namespace inbatch::cuda
