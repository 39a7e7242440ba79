// One optimizer step. See optimizer.h.
#include "optimizer.h"

#include <algorithm>
#include <cmath>
#include <string>

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

// What differs between parameters of one step, and what clipping makes of all.
struct Own {
  double rate, decay, gradient_scale;
};

void move(const Stream& stream, const OptimizerSettings& settings, const Own& own,
          const ExtraParameter& x) {
  if (settings.optimizer == Optimizer::Lion) {
    Lion op;
    op.rate = own.rate;
    op.beta1 = settings.beta1;
    op.beta2 = settings.beta2;
    op.decay = own.decay;
    op.gradient_scale = own.gradient_scale;
    op.weight = x.value;
    op.gradient = x.gradient;
    op.first = x.first;
    return run(stream, op);
  }
  AdamW op;
  op.coupled = settings.optimizer == Optimizer::Adam;
  op.rate = own.rate;
  op.beta1 = settings.beta1;
  op.beta2 = settings.beta2;
  op.epsilon = settings.epsilon;
  op.decay = own.decay;
  op.step = int32_t(settings.step);
  op.gradient_scale = own.gradient_scale;
  op.weight = x.value;
  op.gradient = x.gradient;
  op.first = x.first;
  op.second = x.second;
  run(stream, op);
}

}  // namespace

double update(const Stream& stream, Parameters& parameters, const OptimizerSettings& settings,
              const std::vector<ExtraParameter>& extras) {
  const auto& factors = settings.factors;
  expect(factors.empty() || factors.size() == parameters.all().size(), "update",
         "expected a factor for each parameter, got " + std::to_string(factors.size()));
  for (const Parameter& p : parameters.all()) {
    const bool complete = !p.trainable || !p.second.empty();
    expect(complete || settings.optimizer == Optimizer::Lion, "update",
           "expected training prepared with second moments, got one without");
  }
  const double norm = norm_of(stream, parameters, extras);
  if (!std::isfinite(norm)) return norm;
  const double scale = settings.clip > 0 ? std::min(1.0, settings.clip / (norm + 1e-6)) : 1;
  size_t number = 0;
  for (const Parameter& p : parameters.all()) {
    const double factor = factors.empty() ? 1 : factors[number];
    ++number;
    if (!p.trainable) continue;
    const Own own{settings.rate * factor, p.decay ? settings.decay : 0, scale};
    move(stream, settings, own, {p.value, p.gradient, p.first, p.second});
  }
  for (const ExtraParameter& extra : extras) {
    move(stream, settings, {settings.rate, 0, scale}, extra);
  }
  parameters.pack(stream);
  return norm;
}

}  // namespace inbatch
