// What makes an embedding of the rows of a text: poolings side by side, dense layers, unit length.
// Behind the rows of tokens everything is f32, products too.
#pragma once

#include <algorithm>
#include <vector>

#include "../ops/pool.h"
#include "linear.h"
#include "norm.h"
#include "spec.h"

namespace inbatch {

// y = norm(activation(x W^T + b)), of which either part may be missing.
struct HeadLayer {
  std::optional<Linear> linear;
  Activation activation = Activation::None;
  std::optional<Norm> norm;
  int64_t width = 0;  // of what comes out

  struct Saved {
    Tensor x, pre;
    Norm::Saved norm;
  };

  static HeadLayer declare(Parameters& parameters, const std::string& name, const DenseSpec& spec,
                           int64_t width) {
    HeadLayer layer;
    layer.activation = spec.activation;
    layer.width = spec.width ? spec.width : width;
    if (spec.width) layer.linear = Linear::declare(parameters, name, width, spec.width, spec.bias);
    if (layer.linear) layer.linear->weight->type = Type::F32;
    layer.norm = Norm::declare(parameters, name + ".norm", spec.norm, layer.width);
    if (layer.norm) layer.norm->rows_are_texts = true;
    return layer;
  }

  void forward(const Pass& pass, Tensor x, Tensor y, Saved& saved) const {
    saved.x = x;
    Tensor h = x;
    if (linear) {
      h = norm ? pass.kept(y.rows, y.cols) : y;
      if (activation != Activation::None) saved.pre = pass.kept(y.rows, y.cols);
      linear->forward(pass, x, h, activation, saved.pre);
    }
    if (norm) norm->forward(pass, h, {}, y, saved.norm);
  }

  // Overwrites dy; what comes back is the gradient of x, perhaps in the same memory.
  Tensor backward(const Pass& pass, Tensor dy, const Saved& saved) const {
    if (norm) norm->backward(pass, dy, dy, saved.norm);
    if (!linear) return dy;
    if (activation != Activation::None) pass.run(ActivationBackward{activation, saved.pre, dy, dy});
    linear->backward_weight(pass, saved.x, dy);
    const Tensor dx = pass.temporary(dy.rows, saved.x.cols);
    linear->backward_input(pass, dy, dx);
    return dx;
  }
};

struct Head {
  HeadSpec spec;
  std::vector<HeadLayer> layers;
  int64_t width = 0;           // of an embedding
  Parameter* power = nullptr;  // of a generalised mean

  struct Saved {
    std::vector<HeadLayer::Saved> layers;
    std::vector<Tensor> argmax;  // of each pooling
    Tensor x, y, norm;
  };

  static Head declare(Parameters& parameters, const HeadSpec& spec, int64_t width) {
    Head head;
    head.spec = spec;
    for (const Pooling kind : spec.pooling) {
      if (kind == Pooling::Gem) head.power = parameters.declare("head.power", 1, 1, false);
    }
    width *= std::max<int64_t>(1, int64_t(spec.pooling.size()));
    for (size_t i = 0; i < spec.dense.size(); ++i) {
      head.layers.push_back(
          HeadLayer::declare(parameters, "head." + std::to_string(i), spec.dense[i], width));
      width = head.layers.back().width;
    }
    head.width = width;
    return head;
  }

  bool pools(const Batch& batch) const { return !batch.unpooled && !spec.pooling.empty(); }
  int64_t rows(const Batch& batch) const { return pools(batch) ? batch.size() : batch.tokens(); }

  void forward(const Pass& pass, Tensor x, Tensor y, Saved& saved, bool normalize) const {
    Tensor h = x;
    saved.x = x;
    if (pools(pass.batch)) {
      h = layers.empty() ? y : pass.kept(y.rows, x.cols * int64_t(spec.pooling.size()));
      pool(pass, x, h, saved);
    } else if (!layers.empty() && x.type != Type::F32) {
      h = pass.kept(x.rows, x.cols);
      pass.run(ActivationForward{Activation::None, x, h});
    }
    saved.layers.resize(layers.size());
    for (size_t i = 0; i < layers.size(); ++i) {
      const Tensor out = i + 1 == layers.size() ? y : pass.kept(y.rows, layers[i].width);
      layers[i].forward(pass, h, out, saved.layers[i]);
      h = out;
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
    for (size_t i = layers.size(); i-- > 0;) dh = layers[i].backward(pass, dh, saved.layers[i]);
    if (!pools(pass.batch)) return pass.run(ActivationForward{Activation::None, dh, dx});
    for (size_t i = 0; i < spec.pooling.size(); ++i) {
      PoolBackward op;
      op.kind = spec.pooling[i];
      op.at = int32_t(int64_t(i) * dx.cols);
      op.add = i > 0;
      op.dy = dh;
      op.offsets = pass.batch.offsets;
      op.skip = pass.batch.skip;
      op.argmax = saved.argmax[i];
      op.dx = dx;
      if (op.kind == Pooling::Gem) {
        op.x = saved.x;
        op.power = power->value;
        op.dpower = power->gradient;
      }
      pass.run(op);
    }
  }

 private:
  void pool(const Pass& pass, Tensor x, Tensor y, Saved& saved) const {
    for (size_t i = 0; i < spec.pooling.size(); ++i) {
      PoolForward op;
      op.kind = spec.pooling[i];
      op.at = int32_t(int64_t(i) * x.cols);
      op.x = x;
      op.offsets = pass.batch.offsets;
      op.skip = pass.batch.skip;
      op.y = y;
      if (op.kind == Pooling::Max) op.argmax = pass.kept(y.rows, x.cols, Type::I32);
      if (op.kind == Pooling::Gem) op.power = power->value;
      saved.argmax.push_back(op.argmax);
      pass.run(op);
    }
  }
};

}  // namespace inbatch
