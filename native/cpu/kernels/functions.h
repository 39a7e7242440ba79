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

// x, but at most `limit` away from zero; what is no number stays so.
inline Lanes within(float limit, Lanes x) { return smaller(all(limit), larger(all(-limit), x)); }

// e / (e + 2), e = exp(2 |x|) - 1: within 3 units in the last place everywhere.
inline Lanes tanh_of(Lanes x) {
  const Lanes e = exp_less_one(mul(smaller(all(20.0f), magnitude(x)), all(2.0f)));
  return with_sign_of(div(e, add(e, all(2.0f))), x);
}

// A function at x and its derivative there.
struct Curve {
  Lanes value, slope;
};

inline Curve gelu_of(Lanes x) {
  const Normal normal = normal_of(x);
  return {mul(x, normal.cumulative), fma(x, normal.density, normal.cumulative)};
}

inline Curve tanh_curve(Lanes x) {
  const Lanes y = tanh_of(x);
  return {y, fnma(y, y, all(1.0f))};
}

inline Curve relu_of(Lanes x) {
  alignas(64) float v[16];
  store(v, x);
  for (float& value : v) value = value > 0.0f ? 1.0f : 0.0f;
  return {larger(zero(), x), load(v)};
}

// 1 / (1 + exp(-x)) and its derivative. Beyond 87 both stay where they are normal numbers.
inline Curve sigmoid_of(Lanes x) {
  const Lanes e = exp_of(sub(zero(), within(87.0f, x)));
  const Lanes y = div(all(1.0f), add(e, all(1.0f)));
  return {y, mul(mul(e, y), y)};
}

// x sigmoid(x); below -87 it is as good as zero, and so that it stays so x goes no further.
inline Curve silu_of(Lanes x) {
  const Curve s = sigmoid_of(x);
  const Lanes from = larger(all(-87.0f), x);
  return {mul(from, s.value), fma(within(87.0f, x), s.slope, s.value)};
}

// x/2 (1 + tanh u) = x sigmoid(2 u), 2 u = a (x + b x^3); beyond 11 it is x or as good as zero.
inline Curve gelu_tanh_of(Lanes x) {
  const Lanes near = within(11.0f, x), square = mul(near, near);
  const Lanes a = all(1.59576912f), b = all(0.044715f);
  const Lanes u = mul(mul(a, near), fma(b, square, all(1.0f)));
  const Curve s = sigmoid_of(u);
  const Lanes du = mul(a, fma(mul(all(3.0f), b), square, all(1.0f)));
  return {mul(larger(all(-11.0f), x), s.value), fma(mul(near, du), s.slope, s.value)};
}

template <Activation K>
inline Curve curve_of(Lanes x) {
  if constexpr (K == Activation::Gelu) return gelu_of(x);
  if constexpr (K == Activation::Tanh) return tanh_curve(x);
  if constexpr (K == Activation::Relu) return relu_of(x);
  if constexpr (K == Activation::GeluTanh) return gelu_tanh_of(x);
  if constexpr (K == Activation::Silu) return silu_of(x);
  if constexpr (K == Activation::Sigmoid) return sigmoid_of(x);
  return {x, all(1.0f)};
}

// Work<kind>::run(args): loops that know their activation where they are compiled. A call for each
// sixteen elements cost a quarter of a product with GELU on AVX2.
template <template <Activation> class Work, class Args>
inline void by_activation(Activation kind, const Args& args) {
  switch (kind) {
    case Activation::Gelu:
      return Work<Activation::Gelu>::run(args);
    case Activation::Tanh:
      return Work<Activation::Tanh>::run(args);
    case Activation::Relu:
      return Work<Activation::Relu>::run(args);
    case Activation::GeluTanh:
      return Work<Activation::GeluTanh>::run(args);
    case Activation::Silu:
      return Work<Activation::Silu>::run(args);
    case Activation::Sigmoid:
      return Work<Activation::Sigmoid>::run(args);
    default:
      return Work<Activation::None>::run(args);
  }
}

struct Elements {
  const float *x, *dy;
  float* out;
  int64_t size;
};

template <Activation K>
struct ElementsForward {
  static void run(const Elements& e) {
    for (int64_t i = 0; i < e.size; i += 16) {
      const int64_t n = e.size - i < 16 ? e.size - i : 16;
      store_some(e.out + i, curve_of<K>(load_some(e.x + i, n)).value, n);
    }
  }
};

template <Activation K>
struct ElementsBackward {
  static void run(const Elements& e) {
    for (int64_t i = 0; i < e.size; i += 16) {
      const int64_t n = e.size - i < 16 ? e.size - i : 16;
      const Lanes slope = curve_of<K>(load_some(e.x + i, n)).slope;
      store_some(e.out + i, mul(load_some(e.dy + i, n), slope), n);
    }
  }
};

void activation_forward(Activation kind, const float* x, float* y, int64_t size) {
  by_activation<ElementsForward>(kind, Elements{x, nullptr, y, size});
}

void activation_backward(Activation kind, const float* x, const float* dy, float* dx,
                         int64_t size) {
  by_activation<ElementsBackward>(kind, Elements{x, dy, dx, size});
}

template <Activation K>
struct GateForwardRows {
  static void run(const GateRows& p) {
    for (int64_t row = 0; row < p.rows; ++row) {
      const float *bent = p.bent + row * p.pre_row, *factor = p.factor + row * p.pre_row;
      float* y = p.y + row * p.columns;
      for (int64_t j = 0; j < p.columns; j += 16) {
        const int64_t n = p.columns - j < 16 ? p.columns - j : 16;
        const Lanes value = curve_of<K>(load_some(bent + j, n)).value;
        store_some(y + j, mul(value, load_some(factor + j, n)), n);
      }
    }
  }
};

template <Activation K>
struct GateBackwardRows {
  static void run(const GateRows& p) {
    for (int64_t row = 0; row < p.rows; ++row) {
      const int64_t at = row * p.pre_row;
      const float* dy = p.dy + row * p.columns;
      for (int64_t j = 0; j < p.columns; j += 16) {
        const int64_t n = p.columns - j < 16 ? p.columns - j : 16;
        const Curve curve = curve_of<K>(load_some(p.bent + at + j, n));
        const Lanes factor = load_some(p.factor + at + j, n), d = load_some(dy + j, n);
        store_some(p.dfactor + at + j, mul(d, curve.value), n);
        store_some(p.dbent + at + j, mul(mul(d, factor), curve.slope), n);
      }
    }
  }
};

void gate_forward(const GateRows& p) { by_activation<GateForwardRows>(p.activation, p); }
void gate_backward(const GateRows& p) { by_activation<GateBackwardRows>(p.activation, p); }

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
