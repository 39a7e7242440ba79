// Updates of parameters. Contract: ops/optimize.h. Limited by memory: four streams in, three out.
#include "../ops/optimize.h"

#include <algorithm>
#include <cmath>

#include "../ops/run.h"
#include "kernels.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kChunk = 65536;  // a multiple of 4096, which SumSquares counts in

}  // namespace

template <>
void run<AdamW>(const Stream& stream, const AdamW& op) {
  const int64_t size = op.weight.size();
  const double correction1 = 1.0 - std::pow(op.beta1, op.step);
  const double correction2 = 1.0 - std::pow(op.beta2, op.step);
  AdamStep step{};
  step.keep = op.coupled ? 1.0f : float(1.0 - op.rate * op.decay);
  step.pull = op.coupled ? float(op.decay) : 0.0f;
  step.step = float(op.rate / correction1);
  step.beta1 = float(op.beta1);
  step.rest1 = float(1.0 - op.beta1);
  step.beta2 = float(op.beta2);
  step.rest2 = float(1.0 - op.beta2);
  step.root2 = float(1.0 / std::sqrt(correction2));
  step.epsilon = float(op.epsilon);
  step.gradient_scale = float(op.gradient_scale);
  stream.parallel_for((size + kChunk - 1) / kChunk, [&](int64_t item, int) {
    const int64_t at = item * kChunk;
    AdamStep part = step;
    part.weight = op.weight.f32() + at;
    part.gradient = op.gradient.f32() + at;
    part.first = op.first.f32() + at;
    part.second = op.second.f32() + at;
    part.size = std::min(kChunk, size - at);
    kernels().adamw(part);
  });
}

template <>
void run<Lion>(const Stream& stream, const Lion& op) {
  const int64_t size = op.weight.size();
  LionStep step{};
  step.keep = float(1.0 - op.rate * op.decay);
  step.rate = float(op.rate);
  step.beta1 = float(op.beta1);
  step.rest1 = float(1.0 - op.beta1);
  step.beta2 = float(op.beta2);
  step.rest2 = float(1.0 - op.beta2);
  step.gradient_scale = float(op.gradient_scale);
  stream.parallel_for((size + kChunk - 1) / kChunk, [&](int64_t item, int) {
    const int64_t at = item * kChunk;
    LionStep part = step;
    part.weight = op.weight.f32() + at;
    part.gradient = op.gradient.f32() + at;
    part.first = op.first.f32() + at;
    part.size = std::min(kChunk, size - at);
    kernels().lion(part);
  });
}

template <>
void run<SumSquares>(const Stream& stream, const SumSquares& op) {
  const int64_t size = op.x.size(), chunks = (size + kChunk - 1) / kChunk;
  Scope scope(stream.scratch());
  double* sums = stream.scratch().tensor(1, std::max<int64_t>(chunks, 1), Type::F64).as<double>();
  stream.parallel_for(chunks, [&](int64_t item, int) {
    const int64_t at = item * kChunk;
    sums[item] = kernels().sum_squares(op.x.f32() + at, std::min(kChunk, size - at));
  });
  for (int64_t i = 0; i < chunks; ++i) *op.result.as<double>() += sums[i];
}

}  // namespace inbatch::cpu
