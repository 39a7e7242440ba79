// Attention within each text.
#pragma once

#include "op.h"

namespace inbatch {

// o[t, h] = sum over s of the same text of softmax_s(scale q[t, h] . k[s, h]) v[s, h].
//
//   qkv      (T, 3 H D) f32: q of all heads, then k, then v
//   offsets  (N + 1) i32
//   texts    (N) i32: numbers of the texts in their batch; read when rate > 0
//   o        (T, H D) overwritten
//   lse      (T, H) overwritten: log of the sum of exp of a row's scores; may be empty
//
// With rate > 0 each weight is dropped as Dropout does, the row being the query's place in its
// text, the column the key's, and the site site + h. Memory beside the operands grows with the
// longest text, not with its square. A text's result depends on nothing but the text.
struct AttentionForward {
  int32_t heads = 1;
  float scale = 1, rate = 0;
  int32_t seed = 0, step = 0, site = 0;
  Tensor qkv, offsets, texts, o, lse;

  static constexpr auto name = "attentionForward";
  static constexpr auto fields() {
    using Op = AttentionForward;
    return std::tuple{
        field("heads", &Op::heads), field("scale", &Op::scale),     field("rate", &Op::rate),
        field("seed", &Op::seed),   field("step", &Op::step),       field("site", &Op::site),
        field("qkv", &Op::qkv),     field("offsets", &Op::offsets), field("texts", &Op::texts),
        field("o", &Op::o),         field("lse", &Op::lse)};
  }
  void check() const {
    expect(heads > 0 && o.cols % heads == 0, name,
           "expected o of a width that " + std::to_string(heads) + " heads divide, got " +
               std::to_string(o.cols));
    expect_rows(name, "o", o, qkv.rows);
    expect_columns(name, "qkv", qkv, 3 * o.cols);
    if (!lse.empty()) expect_shape(name, "lse", lse, qkv.rows, heads);
    if (rate > 0) expect_size(name, "texts", texts, offsets.size() - 1);
  }
};

// The gradient of AttentionForward with respect to qkv; scores are computed again from lse.
//
//   qkv, offsets, texts, o, lse   as there
//   dout  (T, H D) f32
//   dqkv  (T, 3 H D) overwritten
struct AttentionBackward {
  int32_t heads = 1;
  float scale = 1, rate = 0;
  int32_t seed = 0, step = 0, site = 0;
  Tensor qkv, offsets, texts, o, lse, dout, dqkv;

  static constexpr auto name = "attentionBackward";
  static constexpr auto fields() {
    using Op = AttentionBackward;
    return std::tuple{
        field("heads", &Op::heads), field("scale", &Op::scale),     field("rate", &Op::rate),
        field("seed", &Op::seed),   field("step", &Op::step),       field("site", &Op::site),
        field("qkv", &Op::qkv),     field("offsets", &Op::offsets), field("texts", &Op::texts),
        field("o", &Op::o),         field("lse", &Op::lse),         field("dout", &Op::dout),
        field("dqkv", &Op::dqkv)};
  }
  void check() const {
    expect_same_shape(name, "dqkv", dqkv, qkv);
    expect_same_shape(name, "dout", dout, o);
    expect_columns(name, "qkv", qkv, 3 * o.cols);
    expect_shape(name, "lse", lse, qkv.rows, heads);
    if (rate > 0) expect_size(name, "texts", texts, offsets.size() - 1);
  }
};

}  // namespace inbatch
