// One optimizer step. See optimizer.h.
#include "optimizer.h"

#include <algorithm>
#include <cmath>

#include "../ops/optimize.h"
#include "../ops/run.h"

namespace inbatch {
namespace {

double norm_of(const Stream& stream, Parameters& parameters,
               const std::vector<ExtraParameter>& extras) {
  double sum = 0;
  const Tensor result{&sum, 1, 1, Type::F64, Place::Cpu};
  for (const Parameter& p : parameters.all()) {
    if (p.trainable) run(stream, SumSquares{p.gradient, result});
  }
  for (const ExtraParameter& extra : extras) run(stream, SumSquares{extra.gradient, result});
  return std::sqrt(sum);
}

}  // namespace

double update(const Stream& stream, Parameters& parameters, const OptimizerSettings& settings,
              const std::vector<ExtraParameter>& extras) {
  const double norm = norm_of(stream, parameters, extras);
  if (!std::isfinite(norm)) return norm;
  AdamW op;
  op.rate = settings.rate;
  op.beta1 = settings.beta1;
  op.beta2 = settings.beta2;
  op.epsilon = settings.epsilon;
  op.step = int32_t(settings.step);
  if (settings.clip > 0) op.gradient_scale = std::min(1.0, settings.clip / (norm + 1e-6));
  for (const Parameter& p : parameters.all()) {
    if (!p.trainable) continue;
    op.decay = p.decay ? settings.decay : 0;
    op.weight = p.value;
    op.gradient = p.gradient;
    op.first = p.first;
    op.second = p.second;
    run(stream, op);
  }
  op.decay = 0;
  for (const ExtraParameter& extra : extras) {
    op.weight = extra.value;
    op.gradient = extra.gradient;
    op.first = extra.first;
    op.second = extra.second;
    run(stream, op);
  }
  parameters.pack(stream);
  return norm;
}

}  // namespace inbatch
