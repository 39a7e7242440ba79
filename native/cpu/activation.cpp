// Elementwise functions. Contract: ops/activation.h.
#include "../ops/activation.h"

#include <algorithm>

#include "../ops/run.h"
#include "kernels.h"
#include "loops.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kChunk = 16384;  // elements of one item; a multiple of the lanes

template <class F>
void in_chunks(const Stream& stream, int64_t size, F body) {
  stream.parallel_for((size + kChunk - 1) / kChunk, [&](int64_t item, int) {
    const int64_t begin = item * kChunk;
    body(begin, std::min(kChunk, size - begin));
  });
}

// What both directions of a gate walk, from a row of pre on.
GateRows gate_rows(const Tensor& pre, Gate gate, Activation activation, int64_t row) {
  const int64_t columns = pre.cols / 2;
  const float* first = pre.f32() + row * pre.cols;
  const float* second = first + columns;
  const bool bends_first = gate == Gate::First;
  return {activation, 0, columns, bends_first ? first : second, bends_first ? second : first,
          pre.cols};
}

void drop_rows(const Dropout& op, int64_t text, int64_t begin, int64_t end) {
  const RandomKey key{uint32_t(op.seed), uint32_t(op.step)};
  const uint32_t number = uint32_t(op.texts.empty() ? int32_t(text) : op.texts.i32()[text]);
  const uint32_t threshold = dropout_threshold(op.rate);
  for (int64_t row = begin; row < end; ++row) {
    kernels().dropout_row(op.x.f32() + row * op.x.cols, op.x.cols,
                          row_key(key, number, uint32_t(op.site), uint32_t(row - begin)), threshold,
                          1.0f / (1.0f - op.rate));
  }
}

}  // namespace

template <>
void run<ActivationForward>(const Stream& stream, const ActivationForward& op) {
  in_chunks(stream, op.x.size(), [&](int64_t at, int64_t count) {
    kernels().activation_forward(op.activation, op.x.f32() + at, op.y.f32() + at, count);
  });
}

template <>
void run<ActivationBackward>(const Stream& stream, const ActivationBackward& op) {
  in_chunks(stream, op.x.size(), [&](int64_t at, int64_t count) {
    kernels().activation_backward(op.activation, op.x.f32() + at, op.dy.f32() + at,
                                  op.dx.f32() + at, count);
  });
}

template <>
void run<GateForward>(const Stream& stream, const GateForward& op) {
  over_rows(stream, op.y.rows, op.y.cols, [&](int64_t begin, int64_t end) {
    GateRows rows = gate_rows(op.pre, op.gate, op.activation, begin);
    rows.rows = end - begin;
    rows.y = op.y.f32() + begin * op.y.cols;
    kernels().gate_forward(rows);
  });
}

template <>
void run<GateBackward>(const Stream& stream, const GateBackward& op) {
  over_rows(stream, op.dy.rows, op.dy.cols, [&](int64_t begin, int64_t end) {
    GateRows rows = gate_rows(op.pre, op.gate, op.activation, begin);
    rows.rows = end - begin;
    rows.dy = op.dy.f32() + begin * op.dy.cols;
    rows.dbent = op.dpre.f32() + (rows.bent - op.pre.f32());
    rows.dfactor = op.dpre.f32() + (rows.factor - op.pre.f32());
    kernels().gate_backward(rows);
  });
}

template <>
void run<Add>(const Stream& stream, const Add& op) {
  in_chunks(stream, op.y.size(), [&](int64_t at, int64_t count) {
    const float *a = op.a.f32() + at, *b = op.b.f32() + at;
    float* y = op.y.f32() + at;
    for (int64_t i = 0; i < count; ++i) y[i] = a[i] + b[i];
  });
}

template <>
void run<Dropout>(const Stream& stream, const Dropout& op) {
  if (op.rate == 0) return;
  const int64_t texts = op.offsets.empty() ? op.x.rows : op.offsets.size() - 1;
  stream.parallel_for(texts, [&](int64_t text, int) {
    const int32_t* offsets = op.offsets.i32();
    if (!offsets) return drop_rows(op, text, text, text + 1);
    drop_rows(op, text, offsets[text], offsets[text + 1]);
  });
}

}  // namespace inbatch::cpu
