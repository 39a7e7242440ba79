// One optimizer step over all parameters: norm, clip, update, fresh packed copies.
#pragma once

#include <vector>

#include "parameters.h"

namespace inbatch {

struct OptimizerSettings {
  double rate = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0;
  double clip = 0;        // largest norm of all gradients together; 0: not clipped
  double clip_value = 0;  // largest magnitude of an element of a gradient; 0: not clipped
  // How far the means of weights go towards the weights that this step leaves; 0: they stay.
  double average_share = 0;
  int64_t step = 1;  // from 1
  // What the rate of each parameter is multiplied by, in their order; none: 1.
  std::vector<double> factors;

  static constexpr auto fields() {
    using S = OptimizerSettings;
    return std::tuple{field("rate", &S::rate),
                      field("beta1", &S::beta1),
                      field("beta2", &S::beta2),
                      field("epsilon", &S::epsilon),
                      field("decay", &S::decay),
                      field("clip", &S::clip),
                      field("clipValue", &S::clip_value),
                      field("averageShare", &S::average_share),
                      field("step", &S::step),
                      field("factors", &S::factors)};
  }
};

// A trainable matrix outside the model, such as a learned temperature; it does not decay. Its
// moments are held whole under every optimizer.
struct ExtraParameter {
  Tensor value, gradient, first, second;
};

// All gradients before clipping: their norm, and the sum of squares of each, of the parameters in
// their order (0 where it has none) and then of the extras.
struct GradientNorm {
  double norm = 0;
  std::vector<double> squares;
};

// By the optimizer that training was prepared for. When the norm is not finite nothing is changed.
GradientNorm update(const Stream& stream, Parameters& parameters, const OptimizerSettings& settings,
                    const std::vector<ExtraParameter>& extras);

}  // namespace inbatch
