// Means and moves of weights. Contract: ops/weights.h. Limited by memory.
#include "../ops/weights.h"

#include "elements.cuh"
#include "sums.cuh"

namespace inbatch::cuda {
namespace {

struct Blended {
  float share;
  const float* x;
  float* y;
  DEVICE void operator()(int64_t i) const { y[i] = y[i] + share * (x[i] - y[i]); }
};

struct Exchanged {
  float *x, *y;
  DEVICE void operator()(int64_t i) const {
    const float kept = x[i];
    x[i] = y[i];
    y[i] = kept;
  }
};

// Without a bound origin is null.
struct Perturbed {
  float scale, bound;
  float* weight;
  const float *gradient, *origin;
  DEVICE void operator()(int64_t i) const {
    float moved = weight[i] + scale * gradient[i];
    if (origin) {
      const float from = origin[i], reach = bound * fabsf(from);
      moved = moved < from - reach ? from - reach : moved;
      moved = moved > from + reach ? from + reach : moved;
    }
    weight[i] = moved;
  }
};

struct SquaredFrom {
  const float* b;
  DEVICE double operator()(float a, int64_t i) const {
    const double apart = double(a) - double(b[i]);
    return apart * apart;
  }
};

}  // namespace

template <>
void run<Blend>(const Stream& stream, const Blend& op) {
  const float share = float(op.share);
  if (share == 1) return stream.copy(op.y.data, op.x.data, size_t(op.x.bytes()));
  over_elements(stream, op.x.size(), Blended{share, op.x.f32(), op.y.f32()});
}

template <>
void run<Exchange>(const Stream& stream, const Exchange& op) {
  over_elements(stream, op.x.size(), Exchanged{op.x.f32(), op.y.f32()});
}

template <>
void run<Perturb>(const Stream& stream, const Perturb& op) {
  const float* origin = op.bound > 0 ? op.origin.f32() : nullptr;
  over_elements(
      stream, op.weight.size(),
      Perturbed{float(op.scale), float(op.bound), op.weight.f32(), op.gradient.f32(), origin});
}

template <>
void run<SquaredDistance>(const Stream& stream, const SquaredDistance& op) {
  sum_all(stream, op.a, SquaredFrom{op.b.f32()}, AddTo{op.result.as<double>()});
}

}  // namespace inbatch::cuda
