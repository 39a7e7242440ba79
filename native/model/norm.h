// Normalisation of rows, with the residual added first when there is one.
#pragma once

#include "../ops/norm.h"
#include "parameters.h"
#include "pass.h"
#include "spec.h"

namespace inbatch {

struct Norm {
  NormSpec spec;
  Parameter *weight = nullptr, *bias = nullptr;

  struct Saved {
    Tensor sum, mean, rstd;
  };

  static Norm declare(Parameters& parameters, const std::string& name, const NormSpec& spec,
                      int64_t width) {
    Norm norm;
    norm.spec = spec;
    norm.weight = parameters.declare(name + ".weight", 1, width, false);
    if (spec.bias) norm.bias = parameters.declare(name + ".bias", 1, width, false);
    return norm;
  }

  static std::optional<Norm> declare(Parameters& parameters, const std::string& name,
                                     const std::optional<NormSpec>& spec, int64_t width) {
    if (!spec) return std::nullopt;
    return declare(parameters, name, *spec, width);
  }

  // y = norm(x + residual). Without a residual x itself is saved and must stay as it is; a pass
  // that keeps nothing leaves the sum in x.
  void forward(const Pass& pass, Tensor x, Tensor residual, Tensor y, Saved& saved) const {
    saved.sum = residual.empty() || !pass.keeps() ? x : pass.kept(x.rows, x.cols);
    saved.mean = pass.kept(x.rows, 1);
    saved.rstd = pass.kept(x.rows, 1);
    pass.run(NormForward{spec.kind, spec.epsilon, spec.offset, x, residual, weight->value,
                         bias ? bias->value : Tensor{}, residual.empty() ? Tensor{} : saved.sum, y,
                         saved.mean, saved.rstd});
  }

  // The gradient of the sum; dx may be dy.
  void backward(const Pass& pass, Tensor dy, Tensor dx, const Saved& saved) const {
    pass.run(NormBackward{spec.kind, spec.offset, saved.sum, weight->value, saved.mean, saved.rstd,
                          dy, dx, weight->gradient, bias ? bias->gradient : Tensor{}});
  }
};

}  // namespace inbatch
