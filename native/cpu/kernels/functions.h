// Activations and their slopes on sixteen lanes, and the elementwise kernels made of them.

struct Normal {
  Lanes cumulative, density;  // Phi(x), phi(x)
};

// Phi by erf, Abramowitz and Stegun 7.1.26 (absolute error 1.5e-7); its exp is the density's too.
inline Normal normal_of(Lanes x) {
  const Lanes z = mul(x, all(0.70710678f)), size = magnitude(z);
  const Lanes t = div(all(1.0f), fma(size, all(0.3275911f), all(1.0f)));
  Lanes p = all(1.061405429f);
  p = fma(p, t, all(-1.453152027f));
  p = fma(p, t, all(1.421413741f));
  p = fma(p, t, all(-0.284496736f));
  p = fma(p, t, all(0.254829592f));
  p = mul(p, t);
  const Lanes e = exp_of(sub(zero(), mul(size, size)));
  const Lanes erf = with_sign_of(fnma(p, e, all(1.0f)), z);
  return {fma(erf, all(0.5f), all(0.5f)), mul(e, all(0.39894228f))};
}

inline Lanes gelu_of(Lanes x) { return mul(x, normal_of(x).cumulative); }

// 1 - 2 / (e^2x + 1): exact at both ends, absolute error about 1e-7 between.
inline Lanes tanh_of(Lanes x) {
  const Lanes e = exp_of(mul(smaller(all(20.0f), magnitude(x)), all(2.0f)));
  return with_sign_of(sub(all(1.0f), div(all(2.0f), add(e, all(1.0f)))), x);
}

inline Lanes activate(Activation kind, Lanes x) {
  switch (kind) {
    case Activation::Gelu:
      return gelu_of(x);
    case Activation::Tanh:
      return tanh_of(x);
    case Activation::Relu:
      return larger(zero(), x);
    default:
      return x;
  }
}

// The derivative at x.
inline Lanes slope(Activation kind, Lanes x) {
  switch (kind) {
    case Activation::Gelu: {
      const Normal normal = normal_of(x);
      return fma(x, normal.density, normal.cumulative);
    }
    case Activation::Tanh: {
      const Lanes y = tanh_of(x);
      return fnma(y, y, all(1.0f));
    }
    case Activation::Relu: {
      alignas(64) float v[16];
      store(v, x);
      for (float& value : v) value = value > 0.0f ? 1.0f : 0.0f;
      return load(v);
    }
    default:
      return all(1.0f);
  }
}

void activation_forward(Activation kind, const float* x, float* y, int64_t size) {
  for (int64_t i = 0; i < size; i += 16) {
    const int64_t n = size - i < 16 ? size - i : 16;
    store_some(y + i, activate(kind, load_some(x + i, n)), n);
  }
}

void activation_backward(Activation kind, const float* x, const float* dy, float* dx,
                         int64_t size) {
  for (int64_t i = 0; i < size; i += 16) {
    const int64_t n = size - i < 16 ? size - i : 16;
    store_some(dx + i, mul(load_some(dy + i, n), slope(kind, load_some(x + i, n))), n);
  }
}

void exp_row(const float* x, float shift, float* y, int64_t size) {
  const Lanes from = all(shift);
  for (int64_t i = 0; i < size; i += 16) {
    const int64_t n = size - i < 16 ? size - i : 16;
    store_some(y + i, exp_of(sub(load_some(x + i, n), from)), n);
  }
}

void dropout_row(float* x, int64_t columns, uint32_t key, uint32_t threshold, float scale) {
  for (int64_t j = 0; j < columns; j += 16) {
    const int64_t n = columns - j < 16 ? columns - j : 16;
    const Lanes kept = surviving(load_some(x + j, n), key, uint32_t(j), threshold);
    store_some(x + j, mul(kept, all(scale)), n);
  }
}
