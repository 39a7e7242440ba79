// Self-attention: queries, keys and values in one product, their optional norms and turns, the
// heads, the output projection.
#pragma once

#include "../ops/attention.h"
#include "linear.h"
#include "norm.h"
#include "rotary.h"
#include "spec.h"

namespace inbatch {

// What the attention of all blocks shares.
struct Distances {
  Parameter* bias = nullptr;  // (buckets, heads) or none
  int64_t furthest = 0;
  Tensor slopes;  // (1, heads) or empty
};

struct Attention {
  Linear qkv, output;
  std::optional<HeadNorm> query_norm, key_norm;
  AttentionSpec spec;
  const RotaryTable* rotary = nullptr;
  Distances distances;
  int site = 0;

  struct Saved {
    Tensor x, raw, qkv, o, lse;
    HeadNorm::Saved query_norm, key_norm;
  };

  static Attention declare(Parameters& parameters, const std::string& name,
                           const AttentionSpec& spec, int64_t width) {
    const int64_t inner = spec.heads * spec.head_width, keys = spec.key_heads * spec.head_width;
    Attention attention;
    attention.spec = spec;
    attention.qkv = Linear::declare(parameters, name + ".qkv", width, inner + 2 * keys, spec.bias);
    attention.output =
        Linear::declare(parameters, name + ".output", inner, width, spec.output_bias);
    if (spec.head_norm) {
      const HeadPlace queries{0, spec.heads, spec.head_width};
      const HeadPlace key_place{inner, spec.key_heads, spec.head_width};
      attention.query_norm =
          HeadNorm::declare(parameters, name + ".queryNorm", *spec.head_norm, queries);
      attention.key_norm =
          HeadNorm::declare(parameters, name + ".keyNorm", *spec.head_norm, key_place);
    }
    return attention;
  }

  int64_t turned() const { return spec.heads + spec.key_heads; }

  void forward(const Pass& pass, Tensor x, Tensor y, Saved& saved) const {
    saved.x = x;
    saved.raw = pass.kept(x.rows, qkv.out(), x.type);
    saved.o = pass.kept(x.rows, output.in(), x.type);
    saved.lse = pass.keeps() ? pass.kept(x.rows, spec.heads) : Tensor{};
    qkv.forward(pass, x, saved.raw);
    saved.qkv = saved.raw;
    if (query_norm) {
      if (pass.keeps()) {
        saved.qkv = pass.kept_like(saved.raw);
        pass.run(ActivationForward{Activation::None, saved.raw, saved.qkv});
      }
      query_norm->forward(pass, saved.raw, saved.qkv, saved.query_norm);
      key_norm->forward(pass, saved.raw, saved.qkv, saved.key_norm);
    }
    if (rotary) rotary->turn(pass, turned(), spec.head_width, false, saved.qkv);
    AttentionForward op;
    describe(pass, saved, op);
    pass.run(op);
    output.forward(pass, saved.o, y);
  }

  // Adds to dx, as its last act: dy may be dx.
  void backward(const Pass& pass, Tensor dy, Tensor dx, const Saved& saved) const {
    Scope scope(pass.scratch());
    const Tensor dout = pass.temporary_like(saved.o);
    const Tensor dqkv = pass.temporary_like(saved.qkv);
    output.backward_weight(pass, saved.o, dy);
    output.backward_input(pass, dy, dout);
    AttentionBackward op;
    describe(pass, saved, op);
    op.dout = dout;
    op.dqkv = dqkv;
    if (distances.bias) op.dbias = distances.bias->gradient;
    pass.run(op);
    if (rotary) rotary->turn(pass, turned(), spec.head_width, true, dqkv);
    if (query_norm) {
      query_norm->backward(pass, saved.raw, dqkv, saved.query_norm);
      key_norm->backward(pass, saved.raw, dqkv, saved.key_norm);
    }
    qkv.backward_weight(pass, saved.x, dqkv);
    qkv.add_backward_input(pass, dqkv, dx);
  }

 private:
  template <class Op>
  void describe(const Pass& pass, const Saved& saved, Op& op) const {
    op.heads = int32_t(spec.heads);
    op.key_heads = int32_t(spec.key_heads);
    op.width = int32_t(spec.head_width);
    op.scale = spec.scale;
    op.causal = spec.causal;
    op.window = int32_t(spec.window);
    op.furthest = int32_t(distances.furthest);
    op.rate = pass.dropout.attention;
    op.seed = int32_t(pass.key.seed);
    op.step = int32_t(pass.key.step);
    op.site = site;
    op.qkv = saved.qkv;
    op.offsets = pass.batch.offsets;
    op.texts = pass.batch.texts;
    op.order = pass.batch.order;
    op.slopes = distances.slopes;
    if (distances.bias) op.bias = distances.bias->value;
    op.o = saved.o;
    op.lse = saved.lse;
  }
};

}  // namespace inbatch
