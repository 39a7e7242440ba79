// The feed-forward layer: up, activation or gate, down.
#pragma once

#include "linear.h"
#include "spec.h"

namespace inbatch {

struct Mlp {
  Linear up, down;
  Activation activation = Activation::Gelu;
  Gate gate = Gate::None;

  struct Saved {
    Tensor x, pre;
  };

  static Mlp declare(Parameters& parameters, const std::string& name, const MlpSpec& spec,
                     int64_t width) {
    const int64_t halves = spec.gate == Gate::None ? 1 : 2;
    Mlp mlp;
    mlp.up = Linear::declare(parameters, name + ".up", width, halves * spec.width, spec.bias);
    mlp.down = Linear::declare(parameters, name + ".down", spec.width, width, spec.output_bias);
    mlp.activation = spec.activation;
    mlp.gate = spec.gate;
    return mlp;
  }

  void forward(const Pass& pass, Tensor x, Tensor y, Saved& saved) const {
    saved.x = x;
    saved.pre = pass.keeps() ? pass.kept(x.rows, up.out(), x.type) : Tensor{};
    Scope scope(pass.scratch());
    const Tensor middle = pass.temporary(x.rows, down.in(), x.type);
    if (gate == Gate::None) {
      up.forward(pass, x, middle, activation, saved.pre);
    } else {
      const Tensor pre = pass.keeps() ? saved.pre : pass.temporary(x.rows, up.out(), x.type);
      up.forward(pass, x, pre);
      pass.run(GateForward{activation, gate, pre, middle});
    }
    down.forward(pass, middle, y);
  }

  // Adds to dx, as its last act: dy may be dx. The middle is computed again rather than kept.
  void backward(const Pass& pass, Tensor dy, Tensor dx, const Saved& saved) const {
    Scope scope(pass.scratch());
    const Tensor middle = pass.temporary(dy.rows, down.in(), dy.type);
    if (down.trains()) {
      if (gate == Gate::None) {
        pass.run(ActivationForward{activation, saved.pre, middle});
      } else {
        pass.run(GateForward{activation, gate, saved.pre, middle});
      }
      down.backward_weight(pass, middle, dy);
    }
    Tensor dpre = middle;
    if (gate == Gate::None) {
      down.backward_input(pass, dy, middle, activation, saved.pre);
    } else {
      dpre = pass.temporary(dy.rows, up.out(), dy.type);
      down.backward_input(pass, dy, middle);
      pass.run(GateBackward{activation, gate, saved.pre, middle, dpre});
    }
    up.backward_weight(pass, saved.x, dpre);
    up.add_backward_input(pass, dpre, dx);
  }
};

}  // namespace inbatch
