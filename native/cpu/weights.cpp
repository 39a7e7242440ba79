// Means and moves of weights. Contract: ops/weights.h. Limited by memory.
#include "../ops/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "../ops/run.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kChunk = 65536;

// visit(at, count) for each stretch of `size` elements.
template <class F>
void by_stretches(const Stream& stream, int64_t size, const F& visit) {
  stream.parallel_for((size + kChunk - 1) / kChunk, [&](int64_t item, int) {
    const int64_t at = item * kChunk;
    visit(at, std::min(kChunk, size - at));
  });
}

}  // namespace

template <>
void run<Blend>(const Stream& stream, const Blend& op) {
  const float share = float(op.share);
  by_stretches(stream, op.x.size(), [&](int64_t at, int64_t count) {
    const float* x = op.x.f32() + at;
    float* y = op.y.f32() + at;
    if (share == 1) {
      std::memmove(y, x, size_t(count) * sizeof(float));
      return;
    }
    for (int64_t i = 0; i < count; ++i) y[i] = y[i] + share * (x[i] - y[i]);
  });
}

template <>
void run<Exchange>(const Stream& stream, const Exchange& op) {
  by_stretches(stream, op.x.size(), [&](int64_t at, int64_t count) {
    std::swap_ranges(op.x.f32() + at, op.x.f32() + at + count, op.y.f32() + at);
  });
}

template <>
void run<Perturb>(const Stream& stream, const Perturb& op) {
  const float scale = float(op.scale), bound = float(op.bound);
  by_stretches(stream, op.weight.size(), [&](int64_t at, int64_t count) {
    float* w = op.weight.f32() + at;
    const float* g = op.gradient.f32() + at;
    for (int64_t i = 0; i < count; ++i) w[i] = w[i] + scale * g[i];
    if (!(bound > 0)) return;
    const float* origin = op.origin.f32() + at;
    for (int64_t i = 0; i < count; ++i) {
      const float reach = bound * std::fabs(origin[i]);
      w[i] = std::min(std::max(w[i], origin[i] - reach), origin[i] + reach);
    }
  });
}

template <>
void run<SquaredDistance>(const Stream& stream, const SquaredDistance& op) {
  const int64_t size = op.a.size(), chunks = (size + kChunk - 1) / kChunk;
  Scope scope(stream.scratch());
  double* sums = stream.scratch().tensor(1, std::max<int64_t>(chunks, 1), Type::F64).as<double>();
  by_stretches(stream, size, [&](int64_t at, int64_t count) {
    const float *a = op.a.f32() + at, *b = op.b.f32() + at;
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) {
      const double apart = double(a[i]) - b[i];
      sum += apart * apart;
    }
    sums[at / kChunk] = sum;
  });
  for (int64_t i = 0; i < chunks; ++i) *op.result.as<double>() += sums[i];
}

}  // namespace inbatch::cpu
