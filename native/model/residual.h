// A layer wrapped in its residual path:
//
//   y = after(x + drop(inside(layer(before(x)))))        a missing norm is the identity
//
// before alone is the pre-norm block, after alone the post-norm block, before and inside together
// the sandwich. There is no fourth case and no switch.
#pragma once

#include "norm.h"

namespace inbatch {

template <class Layer>
struct Residual {
  Layer layer;
  std::optional<Norm> before, inside, after;
  int site = 0;

  struct Saved {
    typename Layer::Saved layer;
    Norm::Saved before, inside, after;
  };

  void declare_norms(Parameters& parameters, const std::string& name, const NormPlaces& places,
                     int64_t width) {
    before = Norm::declare(parameters, name + ".before", places.before, width);
    inside = Norm::declare(parameters, name + ".inside", places.inside, width);
    after = Norm::declare(parameters, name + ".after", places.after, width);
  }

  void forward(const Pass& pass, Tensor x, Tensor y, Saved& saved) const {
    Scope scope(pass.scratch());
    Tensor h = x;
    if (before) {
      h = pass.kept_like(x);
      before->forward(pass, x, {}, h, saved.before);
    }
    // What the inside norm reads must outlive the pass; otherwise it is scratch.
    Tensor out = inside ? pass.kept_like(x) : pass.temporary_like(x);
    layer.forward(pass, h, out, saved.layer);
    if (inside) {
      const Tensor normed = pass.temporary_like(x);
      inside->forward(pass, out, {}, normed, saved.inside);
      out = normed;
    }
    pass.drop(out, site);
    if (after) return after->forward(pass, out, x, y, saved.after);
    pass.run(Add{x, out, y});
  }

  // dx = gradient of x; dx is not dy.
  void backward(const Pass& pass, Tensor dy, Tensor dx, const Saved& saved) const {
    if (after) {
      after->backward(pass, dy, dx, saved.after);
    } else {
      pass.run(ActivationForward{Activation::None, dy, dx});
    }
    Scope scope(pass.scratch());
    Tensor dh = dx;  // the sum sends its gradient both ways
    if (inside || pass.dropout.hidden > 0) {
      dh = pass.temporary_like(dx);
      pass.run(ActivationForward{Activation::None, dx, dh});
      pass.drop(dh, site);
    }
    if (inside) inside->backward(pass, dh, dh, saved.inside);
    if (!before) return layer.backward(pass, dh, dx, saved.layer);
    const Tensor below = pass.temporary_like(dx);
    pass.stream.clear(below.data, size_t(below.bytes()));
    layer.backward(pass, dh, below, saved.layer);
    before->backward(pass, below, below, saved.before);
    pass.run(Add{dx, below, dx});
  }
};

}  // namespace inbatch
