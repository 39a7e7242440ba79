// What a step of an optimizer multiplies by, rounded once, the same for every back end.
#pragma once

#include <cmath>

namespace inbatch {

struct AdamRates {
  float keep;                        // 1 - rate decay
  float pull;                        // decay that is added to the gradient
  float step;                        // rate / (1 - beta1^step)
  float beta1, rest1, beta2, rest2;  // rest: 1 - beta
  float root2;                       // 1 / sqrt(1 - beta2^step)
  float epsilon, gradient_scale;
};

struct LionRates {
  float keep, rate;                  // keep: 1 - rate decay
  float beta1, rest1, beta2, rest2;  // rest: 1 - beta
  float gradient_scale;
};

template <class Op>
AdamRates adam_rates_of(const Op& op, bool coupled = false) {
  AdamRates rates{};
  rates.keep = coupled ? 1.0f : float(1.0 - op.rate * op.decay);
  rates.pull = coupled ? float(op.decay) : 0.0f;
  rates.step = float(op.rate / (1.0 - std::pow(op.beta1, op.step)));
  rates.beta1 = float(op.beta1);
  rates.rest1 = float(1.0 - op.beta1);
  rates.beta2 = float(op.beta2);
  rates.rest2 = float(1.0 - op.beta2);
  rates.root2 = float(1.0 / std::sqrt(1.0 - std::pow(op.beta2, op.step)));
  rates.epsilon = float(op.epsilon);
  rates.gradient_scale = float(op.gradient_scale);
  return rates;
}

template <class Op>
LionRates lion_rates_of(const Op& op) {
  LionRates rates{};
  rates.keep = float(1.0 - op.rate * op.decay);
  rates.rate = float(op.rate);
  rates.beta1 = float(op.beta1);
  rates.rest1 = float(1.0 - op.beta1);
  rates.beta2 = float(op.beta2);
  rates.rest2 = float(1.0 - op.beta2);
  rates.gradient_scale = float(op.gradient_scale);
  return rates;
}

}  // namespace inbatch
