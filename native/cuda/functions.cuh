// The activations and their slopes. Formulas: ops/activation.h; where they would overflow they are
// bent as on this machine (cpu/kernels/functions.h).
#pragma once

#include "../ops/op.h"
#include "device.cuh"

namespace inbatch::cuda {

// A function at x and its derivative there.
struct Curve {
  float value, slope;
};

// x, but at most `limit` away from zero; what is no number stays so.
DEVICE float within(float limit, float x) { return x > limit ? limit : x < -limit ? -limit : x; }

// x, but at least `least`; what is no number stays so.
DEVICE float at_least(float least, float x) { return x < least ? least : x; }

// Phi by erf, Abramowitz and Stegun 7.1.26; its exp is the density's too.
DEVICE Curve gelu_of(float x) {
  const float z = x * 0.70710678f, size = fabsf(z);
  const float t = 1.0f / fmaf(size, 0.3275911f, 1.0f);
  float p = 1.061405429f;
  p = fmaf(p, t, -1.453152027f);
  p = fmaf(p, t, 1.421413741f);
  p = fmaf(p, t, -0.284496736f);
  p = fmaf(p, t, 0.254829592f);
  p *= t;
  const float e = expf(-size * size);
  const float erf = copysignf(fmaf(-p, e, 1.0f), z);
  const float cumulative = fmaf(erf, 0.5f, 0.5f), density = e * 0.39894228f;
  return {x * cumulative, fmaf(x, density, cumulative)};
}

DEVICE Curve tanh_of(float x) {
  const float y = tanhf(x);
  return {y, fmaf(-y, y, 1.0f)};
}

// 1 / (1 + exp(-x)). Beyond 87 value and slope stay where they are normal numbers.
DEVICE Curve sigmoid_of(float x) {
  const float e = expf(-within(87.0f, x)), y = 1.0f / (e + 1.0f);
  return {y, e * y * y};
}

// x sigmoid(x); below -87 it is as good as zero, and so that it stays so x goes no further.
DEVICE Curve silu_of(float x) {
  const Curve s = sigmoid_of(x);
  return {at_least(-87.0f, x) * s.value, fmaf(within(87.0f, x), s.slope, s.value)};
}

// x/2 (1 + tanh u) = x sigmoid(2 u), 2 u = a (x + b x^3); beyond 11 it is x or as good as zero.
DEVICE Curve gelu_tanh_of(float x) {
  const float a = 1.59576912f, b = 0.044715f, near = within(11.0f, x), square = near * near;
  const Curve s = sigmoid_of(a * near * fmaf(b, square, 1.0f));
  const float bend = a * fmaf(3.0f * b, square, 1.0f);
  return {at_least(-11.0f, x) * s.value, fmaf(near * bend, s.slope, s.value)};
}

DEVICE Curve relu_of(float x) { return {x < 0.0f ? 0.0f : x, x > 0.0f ? 1.0f : 0.0f}; }

// body(curve), curve(x) the Curve at x: one branch for all that the body does. The kind is the same
// for all threads of a launch, so it costs no divergence.
template <class Body>
DEVICE void with_curve(Activation kind, const Body& body) {
  switch (kind) {
    case Activation::Gelu:
      return body([](float x) { return gelu_of(x); });
    case Activation::Tanh:
      return body([](float x) { return tanh_of(x); });
    case Activation::Relu:
      return body([](float x) { return relu_of(x); });
    case Activation::GeluTanh:
      return body([](float x) { return gelu_tanh_of(x); });
    case Activation::Silu:
      return body([](float x) { return silu_of(x); });
    case Activation::Sigmoid:
      return body([](float x) { return sigmoid_of(x); });
    default:
      return body([](float x) { return Curve{x, 1.0f}; });
  }
}

DEVICE Curve curve_of(Activation kind, float x) {
  Curve found;
  with_curve(kind, [&](const auto& curve) { found = curve(x); });
  return found;
}

}  // namespace inbatch::cuda
