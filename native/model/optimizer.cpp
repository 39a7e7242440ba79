// One optimizer step. See optimizer.h.
#include "optimizer.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "../ops/optimize8.h"
#include "../ops/run.h"
#include "../ops/weights.h"
#include "sums.h"

namespace inbatch {
namespace {

GradientNorm norm_of(const Stream& stream, Parameters& parameters,
                     const std::vector<ExtraParameter>& extras) {
  std::vector<Tensor> gradients;
  for (const Parameter& p : parameters.all()) gradients.push_back(p.gradient);
  for (const ExtraParameter& extra : extras) gradients.push_back(extra.gradient);
  GradientNorm found;
  found.squares = sums_of_squares(stream, gradients);
  double sum = 0;
  for (const double each : found.squares) sum += each;
  found.norm = std::sqrt(sum);
  return found;
}

// What differs between parameters of one step, and what clipping makes of all.
struct Own {
  double rate, decay, gradient_scale;
};

// A matrix to be moved, and what is remembered of it.
struct Moved {
  Tensor value, gradient;
  TrainingState state;
  Tensor rounded;  // what products read of it, where an optimizer can write that
};

template <class Op>
Op adam_op(const OptimizerSettings& settings, const Own& own, const Moved& x) {
  Op op;
  op.rate = own.rate;
  op.beta1 = settings.beta1;
  op.beta2 = settings.beta2;
  op.epsilon = settings.epsilon;
  op.decay = own.decay;
  op.step = int32_t(settings.step);
  op.gradient_scale = own.gradient_scale;
  op.weight = x.value;
  op.gradient = x.gradient;
  op.first = x.state.first;
  op.second = x.state.second;
  return op;
}

void move_by_adam(const Stream& stream, const OptimizerSettings& settings, const Own& own,
                  const Moved& x, bool coupled = false) {
  if (x.state.first.type == Type::U8) {
    AdamW8 op = adam_op<AdamW8>(settings, own, x);
    op.first_scale = x.state.first_scale;
    op.second_scale = x.state.second_scale;
    return run(stream, op);
  }
  AdamW op = adam_op<AdamW>(settings, own, x);
  op.coupled = coupled;
  op.rounded = x.rounded;
  run(stream, op);
}

void move_by_lion(const Stream& stream, const OptimizerSettings& settings, const Own& own,
                  const Moved& x) {
  Lion op;
  op.rate = own.rate;
  op.beta1 = settings.beta1;
  op.beta2 = settings.beta2;
  op.decay = own.decay;
  op.gradient_scale = own.gradient_scale;
  op.weight = x.value;
  op.gradient = x.gradient;
  op.first = x.state.first;
  op.rounded = x.rounded;
  run(stream, op);
}

// Each of the matrices that are stacked in it is one of its own; without parts it is one.
void move_by_adafactor(const Stream& stream, const OptimizerSettings& settings, const Own& own,
                       const Moved& x, const std::vector<int64_t>& parts) {
  const std::vector<int64_t> whole{x.value.size()};
  int64_t at = 0, number = 0;
  for (const int64_t size : parts.empty() ? whole : parts) {
    Adafactor op;
    op.rate = own.rate;
    op.decay = own.decay;
    op.gradient_scale = own.gradient_scale;
    op.step = int32_t(settings.step);
    op.weight = elements_of(x.value, at, size);
    op.gradient = elements_of(x.gradient, at, size);
    const Tensor &rows = x.state.row_squares, &columns = x.state.column_squares;
    op.column_squares = rows.empty() ? elements_of(columns, at, size) : columns.slice(number, 1);
    if (!rows.empty()) op.row_squares = elements_of(rows, at / x.value.cols, op.weight.rows);
    run(stream, op);
    at += size;
    ++number;
  }
}

void move(const Stream& stream, Optimizer optimizer, const OptimizerSettings& settings,
          const Own& own, const Moved& x, const std::vector<int64_t>& parts = {}) {
  switch (optimizer) {
    case Optimizer::Lion:
      return move_by_lion(stream, settings, own, x);
    case Optimizer::Adafactor:
      return move_by_adafactor(stream, settings, own, x, parts);
    default:
      return move_by_adam(stream, settings, own, x, optimizer == Optimizer::Adam);
  }
}

// As the matrix that its optimizer wants: Adafactor holds the squares of all its elements.
Moved moved_of(const ExtraParameter& extra, Optimizer optimizer) {
  Moved moved{extra.value, extra.gradient, {}, {}};
  if (optimizer != Optimizer::Adafactor) {
    moved.state.first = extra.first;
    moved.state.second = extra.second;
    return moved;
  }
  moved.value = flattened(extra.value);
  moved.gradient = flattened(extra.gradient);
  moved.state.column_squares = flattened(extra.second);
  return moved;
}

// Whether the step writes what products read of it.
bool rounds(const Moved& x, Optimizer optimizer) {
  const bool in_bytes = x.state.first.type == Type::U8;
  return !x.rounded.empty() && optimizer != Optimizer::Adafactor && !in_bytes;
}

void clip_values(const Stream& stream, Parameters& parameters, double bound,
                 const std::vector<ExtraParameter>& extras) {
  for (const Parameter& p : parameters.all()) {
    if (p.trainable) run(stream, Clip{bound, p.gradient});
  }
  for (const ExtraParameter& extra : extras) run(stream, Clip{bound, extra.gradient});
}

}  // namespace

GradientNorm update(const Stream& stream, Parameters& parameters, const OptimizerSettings& settings,
                    const std::vector<ExtraParameter>& extras) {
  const auto& factors = settings.factors;
  const Optimizer optimizer = parameters.optimizer();
  expect(parameters.is_training(), "update", "expected prepareTraining() before");
  expect(factors.empty() || factors.size() == parameters.all().size(), "update",
         "expected a factor for each parameter, got " + std::to_string(factors.size()));
  parameters.finish_gradients(stream);
  GradientNorm found = norm_of(stream, parameters, extras);
  const double norm = found.norm;
  if (!std::isfinite(norm)) return found;
  if (settings.clip_value > 0) clip_values(stream, parameters, settings.clip_value, extras);
  const double scale = settings.clip > 0 ? std::min(1.0, settings.clip / (norm + 1e-6)) : 1;
  size_t number = 0;
  for (Parameter& p : parameters.all()) {
    const double factor = factors.empty() ? 1 : factors[number];
    ++number;
    if (!p.trainable) continue;
    const Own own{settings.rate * factor, p.decay ? settings.decay : 0, scale};
    const Moved moved{p.value, p.gradient, p.state, p.rounded()};
    move(stream, optimizer, settings, own, moved, p.parts);
    parameters.refresh(stream, p, rounds(moved, optimizer));
    if (settings.average_share > 0) {
      run(stream, Blend{settings.average_share, p.value, p.state.average});
    }
  }
  for (const ExtraParameter& extra : extras) {
    move(stream, optimizer, settings, {settings.rate, 0, scale}, moved_of(extra, optimizer));
  }
  return found;
}

}  // namespace inbatch
