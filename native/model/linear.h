// y = activation(x W^T + b), and back.
#pragma once

#include "../ops/linear.h"
#include "parameters.h"
#include "pass.h"

namespace inbatch {

struct Linear {
  Parameter *weight = nullptr, *bias = nullptr;

  static Linear declare(Parameters& parameters, const std::string& name, int64_t in, int64_t out,
                        bool has_bias) {
    Linear linear;
    linear.weight = parameters.declare(name + ".weight", out, in, true);
    if (has_bias) linear.bias = parameters.declare(name + ".bias", 1, out, false);
    return linear;
  }

  int64_t out() const { return weight->rows; }
  int64_t in() const { return weight->cols; }
  bool trains() const { return !weight->gradient.empty() || (bias && !bias->gradient.empty()); }

  // pre, when given, receives the value before the activation; of weights in bytes it cannot be.
  void forward(const Pass& pass, Tensor x, Tensor y, Activation activation = Activation::None,
               Tensor pre = {}) const {
    const Tensor added = bias ? bias->value : Tensor{};
    if (weight->in_bytes()) {
      const auto& [plain, packed, scale, sums] = weight->quantized;
      return pass.run(QuantizedForward{activation, x, packed, scale, sums, added, y});
    }
    pass.run(LinearForward{activation, x, weight->packed, added, y, pre});
  }

  void backward_weight(const Pass& pass, Tensor x, Tensor dy) const {
    const Tensor dbias = bias ? bias->gradient : Tensor{};
    if (!trains()) return;
    CarriedRows& carried = weight->carried;
    if (carried.x.empty()) {
      return pass.run(LinearBackwardWeight{x, dy, weight->gradient, dbias});
    }
    carried.dweight = weight->gradient;
    carried.dbias = dbias;
    carried.add(pass.stream, x, dy);
  }

  // dx = dy W, times the slope of the activation below at pre when that is given.
  void backward_input(const Pass& pass, Tensor dy, Tensor dx, Activation below = Activation::None,
                      Tensor pre = {}) const {
    pass.run(LinearBackwardInput{below, false, dy, weight->packed_transposed, pre, dx});
  }

  // dx += dy W.
  void add_backward_input(const Pass& pass, Tensor dy, Tensor dx) const {
    pass.run(LinearBackwardInput{Activation::None, true, dy, weight->packed_transposed, {}, dx});
  }
};

}  // namespace inbatch
