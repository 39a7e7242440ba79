// Self-attention: qkv, the heads, the output projection.
#pragma once

#include "../ops/attention.h"
#include "linear.h"
#include "spec.h"

namespace inbatch {

struct Attention {
  Linear qkv, output;
  int64_t heads = 1;
  float scale = 1;
  int site = 0;

  struct Saved {
    Tensor x, qkv, o, lse;
  };

  static Attention declare(Parameters& parameters, const std::string& name,
                           const AttentionSpec& spec, int64_t width) {
    Attention attention;
    attention.qkv = Linear::declare(parameters, name + ".qkv", width, 3 * width, spec.bias);
    attention.output = Linear::declare(parameters, name + ".output", width, width, spec.bias);
    attention.heads = spec.heads;
    attention.scale = spec.scale;
    return attention;
  }

  void forward(const Pass& pass, Tensor x, Tensor y, Saved& saved) const {
    saved.x = x;
    saved.qkv = pass.kept(x.rows, 3 * x.cols);
    saved.o = pass.kept(x.rows, x.cols);
    saved.lse = pass.keeps() ? pass.kept(x.rows, heads) : Tensor{};
    qkv.forward(pass, x, saved.qkv);
    pass.run(AttentionForward{int32_t(heads), scale, pass.dropout.attention, int32_t(pass.key.seed),
                              int32_t(pass.key.step), site, saved.qkv, pass.batch.offsets,
                              pass.batch.texts, saved.o, saved.lse});
    output.forward(pass, saved.o, y);
  }

  // Adds to dx, as its last act: dy may be dx.
  void backward(const Pass& pass, Tensor dy, Tensor dx, const Saved& saved) const {
    Scope scope(pass.scratch());
    const Tensor dout = pass.temporary(saved.o.rows, saved.o.cols);
    const Tensor dqkv = pass.temporary(saved.qkv.rows, saved.qkv.cols);
    output.backward_weight(pass, saved.o, dy);
    output.backward_input(pass, dy, dout);
    pass.run(AttentionBackward{int32_t(heads), scale, pass.dropout.attention,
                               int32_t(pass.key.seed), int32_t(pass.key.step), site, saved.qkv,
                               pass.batch.offsets, pass.batch.texts, saved.o, saved.lse, dout,
                               dqkv});
    qkv.backward_weight(pass, saved.x, dqkv);
    qkv.add_backward_input(pass, dqkv, dx);
  }
};

}  // namespace inbatch
