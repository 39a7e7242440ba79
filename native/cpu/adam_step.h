// The numbers of a step of Adam, as its kernel reads them; the matrices are filled in by the
// caller.
#pragma once

#include <cmath>

#include "kernels.h"

namespace inbatch::cpu {

template <class Op>
AdamStep adam_step_of(const Op& op) {
  AdamStep step{};
  step.keep = float(1.0 - op.rate * op.decay);
  step.step = float(op.rate / (1.0 - std::pow(op.beta1, op.step)));
  step.beta1 = float(op.beta1);
  step.rest1 = float(1.0 - op.beta1);
  step.beta2 = float(op.beta2);
  step.rest2 = float(1.0 - op.beta2);
  step.root2 = float(1.0 / std::sqrt(1.0 - std::pow(op.beta2, op.step)));
  step.epsilon = float(op.epsilon);
  step.gradient_scale = float(op.gradient_scale);
  return step;
}

}  // namespace inbatch::cpu
