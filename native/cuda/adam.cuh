// A step of Adam for one weight.
#pragma once

#include "../ops/rates.h"
#include "device.cuh"

namespace inbatch::cuda {

struct Adam {
  float weight, gradient, first, second;

  // Decay, then step; a coupled decay is part of the gradient.
  DEVICE void step(const AdamRates& p) {
    const float g = fmaf(p.pull, weight, gradient * p.gradient_scale);
    first = fmaf(p.beta1, first, p.rest1 * g);
    second = fmaf(p.beta2, second, p.rest2 * (g * g));
    const float length = fmaf(sqrtf(second), p.root2, p.epsilon);
    weight = fmaf(-p.step, first / length, weight * p.keep);
  }
};

}  // namespace inbatch::cuda
