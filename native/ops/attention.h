// Attention within each text.
#pragma once

#include <algorithm>
#include <cmath>

#include "attention_order.h"
#include "op.h"
#include "types.h"

namespace inbatch {

// o[t, h] = sum over the s that t sees of softmax_s(score(t, s, h)) v[s, k(h)]
// score(t, s, h) = scale q[t, h] . k[s, k(h)] - slopes[h] |t - s| + bias[bucket(s - t), h]
//
// t sees s when both are of one text, s <= t if causal, and |t - s| <= window if window > 0. Head h
// of H reads key head k(h) = floor(h / (H / K)) of K.
//
//   qkv      (T, (H + 2 K) D) f32, on a card also bf16, D = width: q of all heads, k of all key
//            heads, then v
//   offsets  (N + 1) i32
//   texts    (N) i32: numbers of the texts in their batch; read when rate > 0
//   slopes   (1, H) f32, or empty
//   bias     (B, H) f32, or empty
//   order    (2, T / 128 + N) i32, what AttentionOrder leaves, or empty: no result depends on it
//   o        (T, H D) type of qkv, overwritten
//   lse      (T, H) f32, overwritten: log of the sum of exp of a row's scores; may be empty
//
// bucket(d) is T5's of B buckets in both directions: B / 2 for d > 0, and of |d| the number itself
// below B / 4, above it one that grows with its logarithm up to `furthest`, in float32 as the
// published models compute it.
//
// With rate > 0 each weight is dropped as Dropout does, the row being the query's place in its
// text, the column the key's, and the site site + h. Memory beside the operands grows with the
// longest text, not with its square; time with its length times the window. A text's result depends
// on nothing but the text. Sums are f32; weights of bf16 are rounded to it before they meet v.
struct AttentionForward {
  int32_t heads = 1, key_heads = 1, width = 1;
  float scale = 1;
  bool causal = false;
  int32_t window = 0, furthest = 0;
  float rate = 0;
  int32_t seed = 0, step = 0, site = 0;
  Tensor qkv, offsets, texts, slopes, bias, order, o, lse;

  static constexpr auto name = "attentionForward";
  static constexpr auto fields() {
    using Op = AttentionForward;
    return std::tuple{field("heads", &Op::heads),
                      field("keyHeads", &Op::key_heads),
                      field("width", &Op::width),
                      field("scale", &Op::scale),
                      field("causal", &Op::causal),
                      field("window", &Op::window),
                      field("furthest", &Op::furthest),
                      field("rate", &Op::rate),
                      field("seed", &Op::seed),
                      field("step", &Op::step),
                      field("site", &Op::site),
                      field("qkv", &Op::qkv),
                      field("offsets", &Op::offsets),
                      field("texts", &Op::texts),
                      field("slopes", &Op::slopes),
                      field("bias", &Op::bias),
                      field("order", &Op::order),
                      field("o", &Op::o),
                      field("lse", &Op::lse)};
  }
  void check() const;
};

// The gradient of AttentionForward with respect to qkv and bias; scores are computed again from
// lse.
//
//   qkv, offsets, texts, slopes, bias, order, o, lse   as there
//   dout   (T, H D) type of qkv
//   dqkv   (T, (H + 2 K) D) type of qkv, overwritten
//   dbias  (B, H) f32, added to, or empty
//
// Each element of dbias is one chain over the texts in order that starts from its present value:
// texts given in several calls leave the same bits as texts given in one.
struct AttentionBackward {
  int32_t heads = 1, key_heads = 1, width = 1;
  float scale = 1;
  bool causal = false;
  int32_t window = 0, furthest = 0;
  float rate = 0;
  int32_t seed = 0, step = 0, site = 0;
  Tensor qkv, offsets, texts, slopes, bias, order, o, lse, dout, dqkv, dbias;

  static constexpr auto name = "attentionBackward";
  static constexpr auto fields() {
    using Op = AttentionBackward;
    return std::tuple{field("heads", &Op::heads),       field("keyHeads", &Op::key_heads),
                      field("width", &Op::width),       field("scale", &Op::scale),
                      field("causal", &Op::causal),     field("window", &Op::window),
                      field("furthest", &Op::furthest), field("rate", &Op::rate),
                      field("seed", &Op::seed),         field("step", &Op::step),
                      field("site", &Op::site),         field("qkv", &Op::qkv),
                      field("offsets", &Op::offsets),   field("texts", &Op::texts),
                      field("slopes", &Op::slopes),     field("bias", &Op::bias),
                      field("order", &Op::order),       field("o", &Op::o),
                      field("lse", &Op::lse),           field("dout", &Op::dout),
                      field("dqkv", &Op::dqkv),         field("dbias", &Op::dbias)};
  }
  void check() const;
};

// The bucket of `far` tokens of `count` buckets, direction aside. Each operation rounds to float32,
// as in the programs that the weights come from.
inline int32_t bucket_of(int32_t far, int64_t count, int32_t furthest) {
  const int32_t half = int32_t(count / 2), exact = half / 2;
  if (far < exact) return far;
  const float range = float(std::log(double(furthest) / exact));
  const float share = std::log(float(far) / float(exact)) / range;
  return std::min(exact + int32_t(share * float(half - exact)), half - 1);
}

// What forward and backward both ask of their fields.
template <class Op>
void check_attention(const Op& op) {
  const auto text = [](int64_t value) { return std::to_string(value); };
  expect(op.heads > 0 && op.key_heads > 0 && op.heads % op.key_heads == 0, Op::name,
         "expected heads that their keyHeads divide, got " + text(op.heads) + " and " +
             text(op.key_heads));
  expect(op.width > 0, Op::name, "expected a width above 0, got " + text(op.width));
  expect(op.window >= 0, Op::name, "expected a window of at least 0, got " + text(op.window));
  expect_one_type(Op::name, {{"qkv", op.qkv}, {"o", op.o}});
  expect_columns(Op::name, "qkv", op.qkv, (op.heads + 2 * int64_t(op.key_heads)) * op.width);
  expect_shape(Op::name, "o", op.o, op.qkv.rows, int64_t(op.heads) * op.width);
  if (!op.lse.empty()) expect_shape(Op::name, "lse", op.lse, op.qkv.rows, op.heads);
  if (op.rate > 0) expect_size(Op::name, "texts", op.texts, op.offsets.size() - 1);
  if (!op.slopes.empty()) expect_size(Op::name, "slopes", op.slopes, op.heads);
  if (!op.order.empty()) {
    expect_shape(Op::name, "order", op.order, 2,
                 AttentionOrder::most_runs(op.qkv.rows, op.offsets.size() - 1));
  }
  if (op.bias.empty()) return;
  expect_columns(Op::name, "bias", op.bias, op.heads);
  expect(op.bias.rows >= 4 && op.bias.rows % 2 == 0, Op::name,
         "expected bias of an even number of at least 4 rows, got " + text(op.bias.rows));
  expect(op.furthest > op.bias.rows / 4, Op::name,
         "expected furthest above " + text(op.bias.rows / 4) + " for " + text(op.bias.rows) +
             " buckets, got " + text(op.furthest));
}

inline void AttentionForward::check() const { check_attention(*this); }

inline void AttentionBackward::check() const {
  check_attention(*this);
  expect_same_shape(name, "dqkv", dqkv, qkv);
  expect_same_shape(name, "dout", dout, o);
  expect_one_type(name, {{"qkv", qkv}, {"dout", dout}, {"dqkv", dqkv}});
  expect_shape(name, "lse", lse, qkv.rows, heads);
  if (!dbias.empty()) expect_same_shape(name, "dbias", dbias, bias);
}

}  // namespace inbatch
