// Kernels that walk rows: dot products, normalisation, sums of squares, optimizers.

float dot(const float* a, const float* b, int64_t size) {
  Lanes sum = zero();
  for (int64_t i = 0; i < size; i += 16) {
    const int64_t n = size - i < 16 ? size - i : 16;
    sum = fma(load_some(a + i, n), load_some(b + i, n), sum);
  }
  return fold(sum);
}

// Chains of 16 lanes over 4096 elements, their sums added in double in order.
double sum_squares(const float* x, int64_t size) {
  double total = 0;
  for (int64_t begin = 0; begin < size; begin += 4096) {
    const int64_t count = size - begin < 4096 ? size - begin : 4096;
    total += double(dot(x + begin, x + begin, count));
  }
  return total;
}

// y += scale x. Each line of `soon` is asked for as one of y is written: a whole row at once is
// more than a core has on its way.
void add_scaled_row(const float* x, float scale, float* y, int64_t columns, const float* soon) {
  const Lanes by = all(scale);
  for (int64_t j = 0; j < columns; j += 16) {
    const int64_t n = columns - j < 16 ? columns - j : 16;
    if (soon) __builtin_prefetch(soon + j, 1);
    store_some(y + j, add(load_some(y + j, n), mul(load_some(x + j, n), by)), n);
  }
}

void norm_forward(const NormRows& p) {
  const float inverse = 1.0f / float(p.columns);
  for (int64_t row = 0; row < p.rows; ++row) {
    const float* x = p.x + row * p.columns;
    const float* residual = p.residual ? p.residual + row * p.columns : nullptr;
    float* kept = p.sum ? p.sum + row * p.columns : nullptr;
    Lanes sum = zero(), squares = zero();
    for (int64_t j = 0; j < p.columns; j += 16) {
      const int64_t n = p.columns - j < 16 ? p.columns - j : 16;
      Lanes v = load_some(x + j, n);
      if (residual) v = add(v, load_some(residual + j, n));
      if (kept) store_some(kept + j, v, n);
      sum = add(sum, v);
      squares = fma(v, v, squares);
    }
    const bool centred = p.kind == NormKind::Layer;
    const float mean = centred ? fold(sum) * inverse : 0.0f;
    const float variance = __builtin_fmaf(-mean, mean, fold(squares) * inverse);
    const float rstd = 1.0f / __builtin_sqrtf((variance > 0.0f ? variance : 0.0f) + p.epsilon);
    p.mean[row] = mean;
    p.rstd[row] = rstd;
    const float* from = kept ? kept : x;
    float* y = p.y + row * p.columns;
    const Lanes scale = all(rstd), shift = all(-mean * rstd), offset = all(p.offset);
    for (int64_t j = 0; j < p.columns; j += 16) {
      const int64_t n = p.columns - j < 16 ? p.columns - j : 16;
      const Lanes hat = fma(load_some(from + j, n), scale, shift);
      const Lanes bias = p.bias ? load_some(p.bias + j, n) : zero();
      store_some(y + j, fma(hat, add(load_some(p.weight + j, n), offset), bias), n);
    }
  }
}

// dx = rstd (g - mean(g) - hat mean(g hat)), g = dy (weight + offset); without the middle term for
// rms.
void norm_backward(const NormGradientRows& p) {
  const float inverse = 1.0f / float(p.columns);
  for (int64_t row = 0; row < p.rows; ++row) {
    const float *x = p.sum + row * p.columns, *dy = p.dy + row * p.columns;
    const Lanes scale = all(p.rstd[row]), shift = all(-p.mean[row] * p.rstd[row]);
    const Lanes offset = all(p.offset);
    Lanes sum = zero(), along = zero();
    for (int64_t j = 0; j < p.columns; j += 16) {
      const int64_t n = p.columns - j < 16 ? p.columns - j : 16;
      const Lanes g = mul(load_some(dy + j, n), add(load_some(p.weight + j, n), offset));
      sum = add(sum, g);
      // lanes beyond the row hold g = 0, so what hat is there does not matter
      along = fma(g, fma(load_some(x + j, n), scale, shift), along);
    }
    const float mean = p.kind == NormKind::Layer ? fold(sum) * inverse : 0.0f;
    const Lanes middle = all(-mean), slant = all(-fold(along) * inverse);
    float* dx = p.dx + row * p.columns;
    for (int64_t j = 0; j < p.columns; j += 16) {
      const int64_t n = p.columns - j < 16 ? p.columns - j : 16;
      const Lanes g = mul(load_some(dy + j, n), add(load_some(p.weight + j, n), offset));
      const Lanes hat = fma(load_some(x + j, n), scale, shift);
      store_some(dx + j, mul(scale, fma(hat, slant, add(g, middle))), n);
    }
  }
}

// dweight += dy hat and dbias += dy, row after row and head after head, in V registers of each.
template <int V>
inline void norm_strip(const NormStrip& p) {
  Lanes weight[V], bias[V];
  int64_t n[V];
  for (int i = 0; i < V; ++i) {
    n[i] = p.columns - 16 * i < 16 ? p.columns - 16 * i : 16;
    weight[i] = p.dweight ? load_some(p.dweight + 16 * i, n[i]) : zero();
    bias[i] = p.dbias ? load_some(p.dbias + 16 * i, n[i]) : zero();
  }
  for (int64_t item = 0, row = 0; row < p.rows; ++row) {
    for (int64_t head = 0; head < p.heads; ++head, ++item) {
      const int64_t at = row * p.row + head * p.head;
      const Lanes scale = all(p.rstd[item]), mean = all(p.mean[item]);
#pragma GCC unroll 2
      for (int i = 0; i < V; ++i) {
        const Lanes g = load_some(p.dy + at + 16 * i, n[i]);
        const Lanes x = load_some(p.x + at + 16 * i, n[i]);
        weight[i] = fma(g, mul(sub(x, mean), scale), weight[i]);
        bias[i] = add(bias[i], g);
      }
    }
  }
  for (int i = 0; i < V; ++i) {
    if (p.dweight) store_some(p.dweight + 16 * i, weight[i], n[i]);
    if (p.dbias) store_some(p.dbias + 16 * i, bias[i], n[i]);
  }
}

// The same for rows without heads, four at a time along their columns, so that memory is read in
// order.
inline void norm_four_rows(const NormStrip& p, int64_t row) {
  const float *x = p.x + row * p.row, *dy = p.dy + row * p.row;
  Lanes mean[4], scale[4];
  for (int i = 0; i < 4; ++i) {
    mean[i] = all(p.mean[row + i]);
    scale[i] = all(p.rstd[row + i]);
  }
  for (int64_t j = 0; j < p.columns; j += 16) {
    const int64_t n = p.columns - j < 16 ? p.columns - j : 16;
    Lanes weight = p.dweight ? load_some(p.dweight + j, n) : zero();
    Lanes bias = p.dbias ? load_some(p.dbias + j, n) : zero();
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const Lanes g = load_some(dy + i * p.row + j, n);
      weight = fma(g, mul(sub(load_some(x + i * p.row + j, n), mean[i]), scale[i]), weight);
      bias = add(bias, g);
    }
    if (p.dweight) store_some(p.dweight + j, weight, n);
    if (p.dbias) store_some(p.dbias + j, bias, n);
  }
}

// A strip of one or two vectors may have heads; a wider one has none.
void norm_parameters(const NormStrip& p) {
  if (p.columns <= 16) return norm_strip<1>(p);
  if (p.columns <= 32) return norm_strip<2>(p);
  const int64_t fours = p.rows / 4 * 4;
  for (int64_t row = 0; row < fours; row += 4) norm_four_rows(p, row);
  if (fours == p.rows) return;
  for (int64_t j = 0; j < p.columns; j += 32) {
    NormStrip rest = p;
    rest.rows -= fours;
    rest.columns = p.columns - j < 32 ? p.columns - j : 32;
    rest.x += fours * p.row + j;
    rest.dy += fours * p.row + j;
    rest.mean += fours;
    rest.rstd += fours;
    if (p.dweight) rest.dweight += j;
    if (p.dbias) rest.dbias += j;
    norm_parameters(rest);
  }
}

// Decoupled weight decay (Loshchilov and Hutter 2019), in the order of PyTorch: decay, then step.
// A coupled one is part of the gradient.
void adamw(const AdamStep& p) {
  const Lanes keep = all(p.keep), step = all(p.step), root2 = all(p.root2);
  const Lanes scale = all(p.gradient_scale), epsilon = all(p.epsilon);
  const Lanes beta1 = all(p.beta1), rest1 = all(p.rest1);
  const Lanes beta2 = all(p.beta2), rest2 = all(p.rest2), pull = all(p.pull);
  for (int64_t i = 0; i < p.size; i += 16) {
    const int64_t n = p.size - i < 16 ? p.size - i : 16;
    const Lanes before = load_some(p.weight + i, n);
    const Lanes g = fma(pull, before, mul(load_some(p.gradient + i, n), scale));
    const Lanes m = fma(beta1, load_some(p.first + i, n), mul(rest1, g));
    const Lanes v = fma(beta2, load_some(p.second + i, n), mul(rest2, mul(g, g)));
    store_some(p.first + i, m, n);
    store_some(p.second + i, v, n);
    const Lanes length = fma(root(v), root2, epsilon);
    const Lanes w = mul(before, keep);
    store_some(p.weight + i, fnma(step, div(m, length), w), n);
  }
}

// The sign of anything but 0 is the number over its magnitude, which divides evenly.
void lion(const LionStep& p) {
  const Lanes keep = all(p.keep), rate = all(p.rate), scale = all(p.gradient_scale);
  const Lanes beta1 = all(p.beta1), rest1 = all(p.rest1);
  const Lanes beta2 = all(p.beta2), rest2 = all(p.rest2);
  const Lanes least = all(1e-45f);
  for (int64_t i = 0; i < p.size; i += 16) {
    const int64_t n = p.size - i < 16 ? p.size - i : 16;
    const Lanes g = mul(load_some(p.gradient + i, n), scale);
    const Lanes m = load_some(p.first + i, n);
    const Lanes c = fma(beta1, m, mul(rest1, g));
    const Lanes sign = div(c, larger(least, magnitude(c)));
    store_some(p.first + i, fma(beta2, m, mul(rest2, g)), n);
    store_some(p.weight + i, fnma(rate, sign, mul(load_some(p.weight + i, n), keep)), n);
  }
}

// Chains of fmas that wait for nothing but themselves: 12 registers of the widest kind, what the
// product kernel keeps too.
#if defined(INBATCH_AVX512)
constexpr int kBurnChains = 12;
#elif defined(INBATCH_AVX2)
constexpr int kBurnChains = 6;
#else
constexpr int kBurnChains = 2;
#endif

__attribute__((noinline)) float burn(int64_t rounds) {
  Lanes sum[kBurnChains];
  alignas(
      64) float start[16 * kBurnChains];  // all different, or the compiler would do half of them
  for (int i = 0; i < 16 * kBurnChains; ++i) start[i] = float(i);
#pragma GCC unroll 12
  for (int i = 0; i < kBurnChains; ++i) sum[i] = load(start + 16 * i);
  const Lanes x = all(0.999f), y = all(0.001f);
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kBurnChains; ++i) sum[i] = fma(sum[i], x, y);
  }
  for (int i = 1; i < kBurnChains; ++i) sum[0] = add(sum[0], sum[i]);
  return fold(sum[0]);
}
