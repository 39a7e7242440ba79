// Sixteen floats side by side, for the instruction set that the including file names.
//
// larger and smaller give their second operand where either is no number: a limit goes first, so
// that what is no number stays so.
//
// Included once per instruction set, inside namespace INBATCH_ISA, after the target pragma; so no
// #pragma once. A sum folds lanes 8 apart, then 4, 2, 1, on every instruction set alike.

#if defined(INBATCH_AVX512)

struct Lanes {
  __m512 v;
};
inline Lanes zero() { return {_mm512_setzero_ps()}; }
inline Lanes all(float x) { return {_mm512_set1_ps(x)}; }
inline Lanes load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline void store(float* p, Lanes x) { _mm512_storeu_ps(p, x.v); }
inline __mmask16 first(int64_t n) { return __mmask16((1u << n) - 1u); }
// A mask costs some steps: a tenth of LayerNorm on a Zen 4. Only ragged ends have one.
inline Lanes load_some(const float* p, int64_t n) {
  if (n >= 16) return load(p);
  return {_mm512_maskz_loadu_ps(first(n), p)};
}
inline void store_some(float* p, Lanes x, int64_t n) {
  if (n >= 16) return store(p, x);
  _mm512_mask_storeu_ps(p, first(n), x.v);
}
inline Lanes add(Lanes a, Lanes b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Lanes sub(Lanes a, Lanes b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Lanes mul(Lanes a, Lanes b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Lanes div(Lanes a, Lanes b) { return {_mm512_div_ps(a.v, b.v)}; }
inline Lanes root(Lanes a) { return {_mm512_sqrt_ps(a.v)}; }
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline Lanes fnma(Lanes a, Lanes b, Lanes c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
inline Lanes larger(Lanes a, Lanes b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Lanes smaller(Lanes a, Lanes b) { return {_mm512_min_ps(a.v, b.v)}; }
inline Lanes magnitude(Lanes a) { return {_mm512_abs_ps(a.v)}; }
inline Lanes with_sign_of(Lanes size, Lanes sign) {
  return {_mm512_or_ps(size.v, _mm512_and_ps(sign.v, _mm512_set1_ps(-0.0f)))};
}
// 2^n p, for t = n + 1.5 2^23 as exp_of makes it.
inline Lanes scale_by_power(Lanes p, Lanes t) {
  const __m512i n = _mm512_slli_epi32(_mm512_castps_si512(t.v), 23);
  return {_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p.v), n))};
}
inline float fold(Lanes x) {
  const __m256 w = _mm256_add_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1));
  __m128 a = _mm_add_ps(_mm256_castps256_ps128(w), _mm256_extractf128_ps(w, 1));
  a = _mm_add_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
inline float largest(Lanes x) { return _mm512_reduce_max_ps(x.v); }
// x where the hash of (key, column + lane) reaches threshold, else zero.
inline Lanes surviving(Lanes x, uint32_t key, uint32_t column, uint32_t threshold) {
  const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  __m512i h = _mm512_mullo_epi32(_mm512_add_epi32(lane, _mm512_set1_epi32(int(column))),
                                 _mm512_set1_epi32(int(0x9e3779b9u)));
  h = _mm512_add_epi32(h, _mm512_set1_epi32(int(key)));
  h = _mm512_mullo_epi32(_mm512_xor_si512(h, _mm512_srli_epi32(h, 16)),
                         _mm512_set1_epi32(int(0x7feb352du)));
  h = _mm512_mullo_epi32(_mm512_xor_si512(h, _mm512_srli_epi32(h, 15)),
                         _mm512_set1_epi32(int(0x846ca68bu)));
  h = _mm512_xor_si512(h, _mm512_srli_epi32(h, 16));
  const __mmask16 kept = _mm512_cmpge_epu32_mask(h, _mm512_set1_epi32(int(threshold)));
  return {_mm512_maskz_mov_ps(kept, x.v)};
}
// Bit i is set where lane i of a is greater than that of b.
inline uint32_t greater(Lanes a, Lanes b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ); }
inline uint32_t equal(Lanes a, Lanes b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ); }

#elif defined(INBATCH_AVX2)

struct Lanes {
  __m256 a, b;
};
inline Lanes zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
inline Lanes all(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline Lanes load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void store(float* p, Lanes x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}
inline __m256i first(int64_t n) {
  const __m256i lane = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(n)), lane);
}
// Masked stores take tens of cycles on some processors, so only ragged ends go through them.
inline Lanes load_some(const float* p, int64_t n) {
  if (n >= 16) return load(p);
  return {_mm256_maskload_ps(p, first(n)), _mm256_maskload_ps(p + 8, first(n - 8))};
}
inline void store_some(float* p, Lanes x, int64_t n) {
  if (n >= 16) return store(p, x);
  _mm256_maskstore_ps(p, first(n), x.a);
  _mm256_maskstore_ps(p + 8, first(n - 8), x.b);
}
inline Lanes add(Lanes x, Lanes y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
inline Lanes sub(Lanes x, Lanes y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
inline Lanes mul(Lanes x, Lanes y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
inline Lanes div(Lanes x, Lanes y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
inline Lanes root(Lanes x) { return {_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)}; }
inline Lanes fma(Lanes x, Lanes y, Lanes z) {
  return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
inline Lanes fnma(Lanes x, Lanes y, Lanes z) {
  return {_mm256_fnmadd_ps(x.a, y.a, z.a), _mm256_fnmadd_ps(x.b, y.b, z.b)};
}
inline Lanes larger(Lanes x, Lanes y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
inline Lanes smaller(Lanes x, Lanes y) {
  return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)};
}
inline Lanes magnitude(Lanes x) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b)};
}
inline Lanes with_sign_of(Lanes size, Lanes sign) {
  const __m256 bit = _mm256_set1_ps(-0.0f);
  return {_mm256_or_ps(size.a, _mm256_and_ps(sign.a, bit)),
          _mm256_or_ps(size.b, _mm256_and_ps(sign.b, bit))};
}
inline __m256 scale_half(__m256 p, __m256 t) {
  const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), n));
}
// 2^n p, for t = n + 1.5 2^23 as exp_of makes it.
inline Lanes scale_by_power(Lanes p, Lanes t) {
  return {scale_half(p.a, t.a), scale_half(p.b, t.b)};
}
inline float fold(Lanes x) {
  const __m256 w = _mm256_add_ps(x.a, x.b);
  __m128 a = _mm_add_ps(_mm256_castps256_ps128(w), _mm256_extractf128_ps(w, 1));
  a = _mm_add_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
inline float largest(Lanes x) {
  const __m256 w = _mm256_max_ps(x.a, x.b);
  __m128 a = _mm_max_ps(_mm256_castps256_ps128(w), _mm256_extractf128_ps(w, 1));
  a = _mm_max_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}
inline __m256 surviving_half(__m256 x, __m256i h, uint32_t key, uint32_t threshold) {
  h = _mm256_mullo_epi32(h, _mm256_set1_epi32(int(0x9e3779b9u)));
  h = _mm256_add_epi32(h, _mm256_set1_epi32(int(key)));
  h = _mm256_mullo_epi32(_mm256_xor_si256(h, _mm256_srli_epi32(h, 16)),
                         _mm256_set1_epi32(int(0x7feb352du)));
  h = _mm256_mullo_epi32(_mm256_xor_si256(h, _mm256_srli_epi32(h, 15)),
                         _mm256_set1_epi32(int(0x846ca68bu)));
  h = _mm256_xor_si256(h, _mm256_srli_epi32(h, 16));
  const __m256i limit = _mm256_set1_epi32(int(threshold));
  const __m256i kept = _mm256_cmpeq_epi32(_mm256_max_epu32(h, limit), h);
  return _mm256_and_ps(x, _mm256_castsi256_ps(kept));
}
// x where the hash of (key, column + lane) reaches threshold, else zero.
inline Lanes surviving(Lanes x, uint32_t key, uint32_t column, uint32_t threshold) {
  const __m256i low =
      _mm256_add_epi32(_mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0), _mm256_set1_epi32(int(column)));
  const __m256i high = _mm256_add_epi32(low, _mm256_set1_epi32(8));
  return {surviving_half(x.a, low, key, threshold), surviving_half(x.b, high, key, threshold)};
}
// Bit i is set where lane i of x is greater than that of y.
inline uint32_t greater(Lanes x, Lanes y) {
  return uint32_t(_mm256_movemask_ps(_mm256_cmp_ps(x.a, y.a, _CMP_GT_OQ))) |
         uint32_t(_mm256_movemask_ps(_mm256_cmp_ps(x.b, y.b, _CMP_GT_OQ))) << 8;
}
inline uint32_t equal(Lanes x, Lanes y) {
  return uint32_t(_mm256_movemask_ps(_mm256_cmp_ps(x.a, y.a, _CMP_EQ_OQ))) |
         uint32_t(_mm256_movemask_ps(_mm256_cmp_ps(x.b, y.b, _CMP_EQ_OQ))) << 8;
}

#else  // any processor: the compiler's own vectors, lowered to what the target has

struct Lanes {
  typedef float Floats __attribute__((vector_size(64)));
  typedef int32_t Words __attribute__((vector_size(64)));
  Floats v;
};
inline Lanes zero() { return {Lanes::Floats{}}; }
inline Lanes all(float x) { return {Lanes::Floats{} + x}; }
inline Lanes load(const float* p) {
  Lanes r;
  __builtin_memcpy(&r.v, p, sizeof r.v);
  return r;
}
inline void store(float* p, Lanes x) { __builtin_memcpy(p, &x.v, sizeof x.v); }
inline Lanes load_some(const float* p, int64_t n) {
  if (n >= 16) return load(p);
  Lanes r = zero();
  __builtin_memcpy(&r.v, p, size_t(n) * sizeof(float));
  return r;
}
inline void store_some(float* p, Lanes x, int64_t n) {
  if (n >= 16) return store(p, x);
  __builtin_memcpy(p, &x.v, size_t(n) * sizeof(float));
}
inline Lanes add(Lanes a, Lanes b) { return {a.v + b.v}; }
inline Lanes sub(Lanes a, Lanes b) { return {a.v - b.v}; }
inline Lanes mul(Lanes a, Lanes b) { return {a.v * b.v}; }
inline Lanes div(Lanes a, Lanes b) { return {a.v / b.v}; }
inline Lanes root(Lanes a) {
  for (int i = 0; i < 16; ++i) a.v[i] = __builtin_sqrtf(a.v[i]);
  return a;
}
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return {a.v * b.v + c.v}; }
inline Lanes fnma(Lanes a, Lanes b, Lanes c) { return {c.v - a.v * b.v}; }
inline Lanes larger(Lanes a, Lanes b) { return {a.v > b.v ? a.v : b.v}; }
inline Lanes smaller(Lanes a, Lanes b) { return {a.v < b.v ? a.v : b.v}; }
inline Lanes magnitude(Lanes a) { return {Lanes::Floats(Lanes::Words(a.v) & 0x7fffffff)}; }
inline Lanes with_sign_of(Lanes size, Lanes sign) {
  return {Lanes::Floats(Lanes::Words(size.v) | (Lanes::Words(sign.v) & int32_t(0x80000000)))};
}
// 2^n p, for t = n + 1.5 2^23 as exp_of makes it.
inline Lanes scale_by_power(Lanes p, Lanes t) {
  return {Lanes::Floats(Lanes::Words(p.v) + (Lanes::Words(t.v) << 23))};
}
inline float fold(Lanes x) {
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) x.v[i] += x.v[i + half];
  }
  return x.v[0];
}
inline float largest(Lanes x) {
  float best = x.v[0];
  for (int i = 1; i < 16; ++i) best = x.v[i] > best ? x.v[i] : best;
  return best;
}
// x where the hash of (key, column + lane) reaches threshold, else zero.
inline Lanes surviving(Lanes x, uint32_t key, uint32_t column, uint32_t threshold) {
  for (uint32_t i = 0; i < 16; ++i) {
    if (random_bits(key, column + i) < threshold) x.v[i] = 0.0f;
  }
  return x;
}
// Bit i is set where lane i of a is greater than that of b.
inline uint32_t greater(Lanes a, Lanes b) {
  uint32_t bits = 0;
  for (int i = 0; i < 16; ++i) bits |= uint32_t(a.v[i] > b.v[i]) << i;
  return bits;
}
inline uint32_t equal(Lanes a, Lanes b) {
  uint32_t bits = 0;
  for (int i = 0; i < 16; ++i) bits |= uint32_t(a.v[i] == b.v[i]) << i;
  return bits;
}

#endif

struct Power {
  Lanes t, r, p;  // e^x = 2^n (1 + r + p r^2), t = n + 1.5 2^23, r in [-ln2/2, ln2/2]
};

inline Power power_of(Lanes x) {
  const Lanes t = fma(x, all(1.44269504f), all(12582912.0f));
  const Lanes n = sub(t, all(12582912.0f));
  Lanes r = fnma(n, all(0.693145752f), x);
  r = fnma(n, all(1.42860677e-6f), r);
  Lanes p = all(1.9875691e-4f);
  p = fma(p, r, all(1.3981999e-3f));
  p = fma(p, r, all(8.3334519e-3f));
  p = fma(p, r, all(4.1665796e-2f));
  p = fma(p, r, all(1.6666665e-1f));
  return {t, r, fma(p, r, all(0.5f))};
}

// exp by a polynomial of degree 6: about 1 ulp. Below -87.33 it stays at the smallest normal
// number, above 88.37 at the largest power it can scale by.
inline Lanes exp_of(Lanes x) {
  const Power e = power_of(smaller(all(88.37f), larger(all(-87.33f), x)));
  return scale_by_power(fma(mul(e.p, e.r), e.r, add(e.r, all(1.0f))), e.t);
}

// exp(x) - 1 for x in [0, 88]: about 1 ulp near zero too.
inline Lanes exp_less_one(Lanes x) {
  const Power e = power_of(x);
  const Lanes scale = scale_by_power(all(1.0f), e.t);
  return fma(fma(mul(e.p, e.r), e.r, e.r), scale, sub(scale, all(1.0f)));
}
