// What makes an embedding of the rows of a text: pooling, dense layers, unit length.
#pragma once

#include <vector>

#include "../ops/pool.h"
#include "linear.h"
#include "spec.h"

namespace inbatch {

struct Head {
  HeadSpec spec;
  std::vector<Linear> dense;
  int64_t width = 0;  // of an embedding

  struct Saved {
    std::vector<Tensor> inputs, pre;  // of each dense layer
    Tensor y, norm;
  };

  static Head declare(Parameters& parameters, const HeadSpec& spec, int64_t width) {
    Head head;
    head.spec = spec;
    for (size_t i = 0; i < spec.dense.size(); ++i) {
      const DenseSpec& layer = spec.dense[i];
      head.dense.push_back(
          Linear::declare(parameters, "head." + std::to_string(i), width, layer.width, layer.bias));
      width = layer.width;
    }
    head.width = width;
    return head;
  }

  int64_t rows(const Batch& batch) const {
    return spec.pooling.empty() ? batch.tokens() : batch.size();
  }

  void forward(const Pass& pass, Tensor x, Tensor y, Saved& saved, bool normalize) const {
    Tensor h = x;
    if (!spec.pooling.empty()) {
      h = dense.empty() ? y : pass.kept(y.rows, x.cols);
      pass.run(PoolForward{spec.pooling[0], 0, x, pass.batch.offsets, {}, h});
    }
    for (size_t i = 0; i < dense.size(); ++i) {
      const Activation activation = spec.dense[i].activation;
      saved.inputs.push_back(h);
      saved.pre.push_back(activation == Activation::None ? Tensor{}
                                                         : pass.kept(y.rows, dense[i].out()));
      h = i + 1 == dense.size() ? y : pass.kept(y.rows, dense[i].out());
      dense[i].forward(pass, saved.inputs[i], h, activation, saved.pre[i]);
    }
    if (h.data != y.data) pass.run(ActivationForward{Activation::None, h, y});
    if (!normalize) return;
    saved.norm = pass.kept(y.rows, 1);
    pass.run(NormalizeForward{y, y, saved.norm});
    if (!pass.keeps()) return;
    saved.y = pass.kept(y.rows, y.cols);
    pass.run(ActivationForward{Activation::None, y, saved.y});
  }

  // dx (T, C) of the embeddings' gradient dy.
  void backward(const Pass& pass, Tensor dy, Tensor dx, const Saved& saved) const {
    Scope scope(pass.scratch());
    Tensor dh = pass.temporary(dy.rows, dy.cols);
    if (spec.normalize) {
      pass.run(NormalizeBackward{saved.y, saved.norm, dy, dh});
    } else {
      pass.run(ActivationForward{Activation::None, dy, dh});
    }
    for (size_t i = dense.size(); i-- > 0;) {
      const Activation activation = spec.dense[i].activation;
      if (activation != Activation::None)
        pass.run(ActivationBackward{activation, saved.pre[i], dh, dh});
      dense[i].backward_weight(pass, saved.inputs[i], dh);
      const Tensor below = pass.temporary(dh.rows, saved.inputs[i].cols);
      dense[i].backward_input(pass, dh, below);
      dh = below;
    }
    if (!spec.pooling.empty())
      return pass.run(PoolBackward{spec.pooling[0], 0, false, dh, pass.batch.offsets, {}, {}, dx});
    pass.run(ActivationForward{Activation::None, dh, dx});
  }
};

}  // namespace inbatch
