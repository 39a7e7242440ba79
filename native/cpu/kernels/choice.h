// Lanes chosen by the bits of a mask, for kernels whose terms come and go.

#if defined(INBATCH_AVX512)

// Lane i of x where bit i is set, else of otherwise.
inline Lanes chosen(Lanes x, uint32_t bits, Lanes otherwise) {
  return {_mm512_mask_blend_ps(__mmask16(bits), otherwise.v, x.v)};
}

#elif defined(INBATCH_AVX2)

inline __m256 chosen_half(__m256 x, uint32_t bits, __m256 otherwise) {
  const __m256i bit = _mm256_set_epi32(128, 64, 32, 16, 8, 4, 2, 1);
  const __m256i set = _mm256_and_si256(_mm256_set1_epi32(int(bits)), bit);
  return _mm256_blendv_ps(otherwise, x, _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, bit)));
}
// Lane i of x where bit i is set, else of otherwise.
inline Lanes chosen(Lanes x, uint32_t bits, Lanes otherwise) {
  return {chosen_half(x.a, bits, otherwise.a), chosen_half(x.b, bits >> 8, otherwise.b)};
}

#else

// Lane i of x where bit i is set, else of otherwise.
inline Lanes chosen(Lanes x, uint32_t bits, Lanes otherwise) {
  for (int i = 0; i < 16; ++i) otherwise.v[i] = bits >> i & 1 ? x.v[i] : otherwise.v[i];
  return otherwise;
}

#endif

// Places in x (rows, columns), rows `stride` apart, of what is greater than the limit of its row,
// and how many there are. Rows are read up to a multiple of 16.
int64_t find_greater(const float* x, int64_t stride, int64_t rows, int64_t columns,
                     const float* limit, int32_t* places) {
  int64_t count = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const Lanes least = all(limit[row]);
    for (int64_t j = 0; j < columns; j += 16) {
      uint32_t bits = greater(load(x + row * stride + j), least);
      if (columns - j < 16) bits &= (1u << (columns - j)) - 1;
      for (; bits; bits &= bits - 1) {
        places[count++] = int32_t(row * stride + j + __builtin_ctz(bits));
      }
    }
  }
  return count;
}

// A bit for each of the first `count` lanes.
inline uint32_t bits_of(int64_t count) { return count < 16 ? (1u << count) - 1 : 0xffffu; }

void best_of_rows(const BestOfRows& p) {
  constexpr float kLeast = -__builtin_inff();
  for (int64_t row = 0; row < p.rows; ++row) {
    const float* x = p.x + row * p.stride;
    Lanes most = all(kLeast);
    for (int64_t j = 0; j < p.columns; j += 16) {
      most = larger(chosen(load(x + j), bits_of(p.columns - j), all(kLeast)), most);
    }
    const float best = largest(most);
    if (!(best > p.most[row])) continue;
    for (int64_t j = 0; j < p.columns; j += 16) {
      const uint32_t bits = equal(load(x + j), all(best)) & bits_of(p.columns - j);
      if (!bits) continue;
      p.place[row] = p.first + int32_t(j) + __builtin_ctz(bits);
      p.most[row] = x[j + __builtin_ctz(bits)];
      break;
    }
  }
}
