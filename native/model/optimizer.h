// One optimizer step over all parameters: norm, clip, update, fresh packed copies.
#pragma once

#include <vector>

#include "parameters.h"

namespace inbatch {

enum class Optimizer { AdamW, Adam, Lion };
template <>
struct Words<Optimizer> {
  static constexpr const char* list[] = {"adamw", "adam", "lion"};
};

struct OptimizerSettings {
  Optimizer optimizer = Optimizer::AdamW;
  double rate = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0;
  double clip = 0;   // largest norm of all gradients together; 0: not clipped
  int64_t step = 1;  // from 1
  // What the rate of each parameter is multiplied by, in their order; none: 1.
  std::vector<double> factors;

  static constexpr auto fields() {
    using S = OptimizerSettings;
    return std::tuple{field("optimizer", &S::optimizer), field("rate", &S::rate),
                      field("beta1", &S::beta1),         field("beta2", &S::beta2),
                      field("epsilon", &S::epsilon),     field("decay", &S::decay),
                      field("clip", &S::clip),           field("step", &S::step),
                      field("factors", &S::factors)};
  }
};

// A trainable matrix outside the model, such as a learned temperature; it does not decay.
struct ExtraParameter {
  Tensor value, gradient, first, second;
};

// Returns the norm of all gradients before clipping. When it is not finite nothing is changed.
// Lion leaves second moments as they are.
double update(const Stream& stream, Parameters& parameters, const OptimizerSettings& settings,
              const std::vector<ExtraParameter>& extras);

}  // namespace inbatch
