// The feed-forward layer: up, activation, down.
#pragma once

#include "linear.h"
#include "spec.h"

namespace inbatch {

struct Mlp {
  Linear up, down;
  Activation activation = Activation::Gelu;

  struct Saved {
    Tensor x, pre;
  };

  static Mlp declare(Parameters& parameters, const std::string& name, const MlpSpec& spec,
                     int64_t width) {
    Mlp mlp;
    mlp.up = Linear::declare(parameters, name + ".up", width, spec.width, spec.bias);
    mlp.down = Linear::declare(parameters, name + ".down", spec.width, width, spec.bias);
    mlp.activation = spec.activation;
    return mlp;
  }

  void forward(const Pass& pass, Tensor x, Tensor y, Saved& saved) const {
    saved.x = x;
    saved.pre = pass.keeps() ? pass.kept(x.rows, up.out()) : Tensor{};
    Scope scope(pass.scratch());
    const Tensor middle = pass.temporary(x.rows, up.out());
    up.forward(pass, x, middle, activation, saved.pre);
    down.forward(pass, middle, y);
  }

  // Adds to dx, as its last act: dy may be dx. The activation is computed again rather than kept.
  void backward(const Pass& pass, Tensor dy, Tensor dx, const Saved& saved) const {
    Scope scope(pass.scratch());
    const Tensor middle = pass.temporary(saved.pre.rows, saved.pre.cols);
    if (down.trains()) {
      pass.run(ActivationForward{activation, saved.pre, middle});
      down.backward_weight(pass, middle, dy);
    }
    down.backward_input(pass, dy, middle, activation, saved.pre);
    up.backward_weight(pass, saved.x, middle);
    up.add_backward_input(pass, middle, dx);
  }
};

}  // namespace inbatch
