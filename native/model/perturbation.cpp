// Moves weights along their gradient and back. See perturbation.h.
#include "perturbation.h"

#include <algorithm>
#include <cmath>

#include "../ops/weights.h"
#include "sums.h"

namespace inbatch {
namespace {

// The table of tokens, of either tower.
bool is_table(const std::string& name) {
  return name == "embedding.tokens" || name == "document.embedding.tokens";
}

template <class Op>
double root_of(const Stream& stream, const Op& op) {
  return std::sqrt(sums_of<Op>(stream, {op})[0]);
}

double norm_of(const Stream& stream, const Tensor& x) { return root_of(stream, SumSquares{x, {}}); }

bool is_direction(double norm) { return std::isfinite(norm) && norm > 0; }

void move_table(const Stream& stream, const Parameter& p, const Tensor& origin,
                const PerturbSettings& settings) {
  const double norm = norm_of(stream, p.gradient);
  if (!is_direction(norm)) return;
  run(stream, Perturb{settings.rate / norm, 0, p.value, p.gradient, {}});
  if (!(settings.radius > 0)) return;
  const double length = root_of(stream, SquaredDistance{p.value, origin, {}});
  if (length <= settings.radius) return;
  run(stream, Blend{1 - settings.radius / length, origin, p.value});
}

void move_matrix(const Stream& stream, const Parameter& p, const Tensor& origin,
                 const PerturbSettings& settings) {
  const std::vector<int64_t> whole{p.value.size()};
  int64_t at = 0;
  for (const int64_t size : p.parts.empty() ? whole : p.parts) {
    const Tensor value = elements_of(p.value, at, size);
    const Tensor gradient = elements_of(p.gradient, at, size);
    const double norm = norm_of(stream, gradient);
    const double rate = settings.rate * norm_of(stream, value) / norm;
    if (is_direction(norm)) {
      run(stream, Perturb{rate, settings.bound, value, gradient, elements_of(origin, at, size)});
    }
    at += size;
  }
}

}  // namespace

void Perturbation::move(const Stream& stream, Parameters& parameters,
                        const PerturbSettings& settings) {
  const bool is_first = moved_.empty();
  parameters.finish_gradients(stream);
  origins_.allocate(parameters.size());
  for (const Parameter& p : parameters.all()) {
    const bool is_meant = settings.matrices ? p.decay : is_table(p.name);
    if (!is_meant || !p.trainable) continue;
    const Tensor origin = origin_of(p);
    if (is_first) {
      run(stream, Blend{1, p.value, origin});
      moved_.push_back(&p);
    }
    (settings.matrices ? move_matrix : move_table)(stream, p, origin, settings);
  }
  if (settings.matrices) parameters.pack(stream);
}

void Perturbation::undo(const Stream& stream, Parameters& parameters) {
  bool has_linear = false;
  for (const Parameter* p : moved_) {
    run(stream, Blend{1, origin_of(*p), p->value});
    has_linear = has_linear || p->linear;
  }
  moved_.clear();
  if (has_linear) parameters.pack(stream);
}

void Perturbation::hold_gradients(const Stream& stream, Parameters& parameters) {
  parameters.finish_gradients(stream);
  gradients_.allocate(parameters.size());
  run(stream, Blend{1, parameters.gradients(), gradients_.view(0, 1, parameters.size())});
}

void Perturbation::return_gradients(const Stream& stream, Parameters& parameters) {
  parameters.forget_carried();
  expect(gradients_.size() == parameters.size(), "returnGradients", "expected gradients held");
  run(stream, Blend{1, gradients_.view(0, 1, parameters.size()), parameters.gradients()});
}

}  // namespace inbatch
