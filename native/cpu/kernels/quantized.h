// Products of bytes. Contract: ops/quantized.h, cpu/kernels.h.
//
// A tile of R rows by V panels keeps its sums in registers while it walks the words once, as the
// tile of floats does; VNNI has one instruction for four products and their sum, AVX2 needs three
// (the middle one widens pairs to 32 bits, so nothing saturates). The sums are then scaled, given
// their bias and bent while they are in the first cache.

#if defined(INBATCH_VNNI)
constexpr int kByteRows = 12, kBytePanels = 2;
#elif defined(INBATCH_AVX512)
constexpr int kByteRows = 8, kBytePanels = 2;
#elif defined(INBATCH_AVX2)
constexpr int kByteRows = 4, kBytePanels = 1;
#else
constexpr int kByteRows = 2, kBytePanels = 1;
#endif

#if defined(INBATCH_AVX512)

using Words = __m512i;
inline Words no_words() { return _mm512_setzero_si512(); }
inline Words load_words(const int32_t* p) { return _mm512_loadu_si512(p); }
inline void store_words(int32_t* p, Words x) { _mm512_storeu_si512(p, x); }
// sum + the products of one word of x with the words of 16 rows.
inline Words add_products(Words sum, int32_t x, Words w) {
#if defined(INBATCH_VNNI)
  return _mm512_dpbusd_epi32(sum, _mm512_set1_epi32(x), w);
#else
  const __m512i pairs = _mm512_maddubs_epi16(_mm512_set1_epi32(x), w);
  return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
#endif
}
inline Lanes floats_of_difference(const int32_t* a, const int32_t* b) {
  return {_mm512_cvtepi32_ps(_mm512_sub_epi32(load_words(a), load_words(b)))};
}
// The lowest byte of each lane, its highest bit turned.
inline void store_bytes(uint8_t* p, Lanes x) {
  const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_castps_si512(x.v));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_xor_si128(bytes, _mm_set1_epi8(-128)));
}

#elif defined(INBATCH_AVX2)

struct Words {
  __m256i a, b;
};
inline Words no_words() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
inline __m256i load_half(const int32_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline Words load_words(const int32_t* p) { return {load_half(p), load_half(p + 8)}; }
inline void store_words(int32_t* p, Words x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.a);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), x.b);
}
inline __m256i add_half(__m256i sum, __m256i x, __m256i w) {
  const __m256i pairs = _mm256_maddubs_epi16(x, w);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
// sum + the products of one word of x with the words of 16 rows.
inline Words add_products(Words sum, int32_t x, Words w) {
  const __m256i four = _mm256_set1_epi32(x);
  return {add_half(sum.a, four, w.a), add_half(sum.b, four, w.b)};
}
inline Lanes floats_of_difference(const int32_t* a, const int32_t* b) {
  const Words x = load_words(a), y = load_words(b);
  return {_mm256_cvtepi32_ps(_mm256_sub_epi32(x.a, y.a)),
          _mm256_cvtepi32_ps(_mm256_sub_epi32(x.b, y.b))};
}
// The lowest byte of each lane, its highest bit turned.
inline void store_bytes(uint8_t* p, Lanes x) {
  const __m256i low = _mm256_set1_epi32(0xff);
  const __m256i words = _mm256_packus_epi32(_mm256_and_si256(_mm256_castps_si256(x.a), low),
                                            _mm256_and_si256(_mm256_castps_si256(x.b), low));
  const __m256i order = _mm256_permute4x64_epi64(words, 0xd8);
  const __m128i bytes =
      _mm_packus_epi16(_mm256_castsi256_si128(order), _mm256_extracti128_si256(order, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_xor_si128(bytes, _mm_set1_epi8(-128)));
}

#else

using Words = Lanes::Words;
inline Words no_words() { return Words{}; }
inline Words load_words(const int32_t* p) {
  Words r;
  __builtin_memcpy(&r, p, sizeof r);
  return r;
}
inline void store_words(int32_t* p, Words x) { __builtin_memcpy(p, &x, sizeof x); }
// sum + the products of one word of x with the words of 16 rows.
inline Words add_products(Words sum, int32_t x, Words w) {
  for (int byte = 0; byte < 4; ++byte) {
    sum += Words((w << (24 - 8 * byte)) >> 24) * (x >> (8 * byte) & 0xff);
  }
  return sum;
}
inline Lanes floats_of_difference(const int32_t* a, const int32_t* b) {
  return {__builtin_convertvector(load_words(a) - load_words(b), Lanes::Floats)};
}
// The lowest byte of each lane, its highest bit turned.
inline void store_bytes(uint8_t* p, Lanes x) {
  const Words words = Words(x.v);
  for (int i = 0; i < 16; ++i) p[i] = uint8_t((words[i] & 0xff) ^ 0x80);
}

#endif

inline int32_t word_at(const uint8_t* p) {
  int32_t word;
  __builtin_memcpy(&word, p, sizeof word);
  return word;
}

// A row that holds what is no number or no finite one gets a factor that is no number.
void quantize_rows(const float* x, int64_t rows, int64_t columns, uint8_t* bytes, float* factor) {
  const int64_t stride = (columns + 3) / 4 * 4;
  const Lanes shift = all(12582912.0f);  // 1.5 2^23: the sum's lowest bits are the whole number
  for (int64_t row = 0; row < rows; ++row) {
    const float* in = x + row * columns;
    uint8_t* out = bytes + row * stride;
    Lanes most = zero(), broken = zero();
    for (int64_t k = 0; k < columns; k += 16) {
      const Lanes v = load_some(in + k, columns - k < 16 ? columns - k : 16);
      most = larger(most, magnitude(v));
      broken = fma(v, zero(), broken);
    }
    const float top = largest(most);
    factor[row] = top / 127.0f + fold(broken);
    const Lanes scale = all(top > 1e-35f ? 127.0f / top : 0.0f);
    int64_t k = 0;
    for (; k + 16 <= columns; k += 16) store_bytes(out + k, add(mul(load(in + k), scale), shift));
    if (k == columns) continue;
    uint8_t rest[16];
    store_bytes(rest, add(mul(load_some(in + k, columns - k), scale), shift));
    for (int64_t i = 0; k + i < stride; ++i) out[k + i] = rest[i];
  }
}

// The sums of R rows with V panels, as [row][panel][16].
template <int R, int V>
__attribute__((noinline)) void byte_tile(const ByteProduct& p, const uint8_t* a, const int32_t* b,
                                         int32_t* sums) {
  Words sum[R][V];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
    sum[r][0] = no_words();
    if (V == 2) sum[r][V - 1] = no_words();
  }
  const int32_t* b1 = b + p.b_panel;
#pragma GCC unroll 4
  for (int64_t k = 0; k < p.words; ++k) {
    const Words left = load_words(b + 16 * k);
    Words right;
    if (V == 2) right = load_words(b1 + 16 * k);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const int32_t x = word_at(a + r * p.a_row + 4 * k);
      sum[r][0] = add_products(sum[r][0], x, left);
      if (V == 2) sum[r][V - 1] = add_products(sum[r][V - 1], x, right);
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
    store_words(sums + 16 * V * r, sum[r][0]);
    if (V == 2) store_words(sums + 16 * V * r + 16, sum[r][V - 1]);
  }
}

using ByteTile = void (*)(const ByteProduct&, const uint8_t*, const int32_t*, int32_t*);

// The tile of each number of rows, from 1.
template <int V, class Rows>
struct ByteTiles;
template <int V, int... R>
struct ByteTiles<V, std::integer_sequence<int, R...>> {
  static constexpr ByteTile of[] = {byte_tile<R + 1, V>...};
};

// A tile of sums to floats.
struct FinishedBytes {
  const ByteProduct& p;
  const int32_t* sums;  // row stride `stride`
  int64_t row, column, rows, stride;
};

template <Activation K>
struct ActivatedBytes {
  static void run(const FinishedBytes& f) {
    const ByteProduct& p = f.p;
    for (int64_t r = 0; r < f.rows; ++r) {
      const Lanes factor = all(p.factor[f.row + r]);
      float* c = p.c + (f.row + r) * p.c_row;
      const int32_t* sums = f.sums + f.stride * r;
      for (int64_t j = f.column; j < f.column + f.stride && j < p.columns; j += 16, sums += 16) {
        const int64_t n = p.columns - j < 16 ? p.columns - j : 16;
        const Lanes sum = floats_of_difference(sums, p.sums + j);
        const Lanes bias = p.bias ? load_some(p.bias + j, n) : zero();
        const Lanes scale = mul(factor, load(p.scale + j));
        store_some(c + j, curve_of<K>(fma(sum, scale, bias)).value, n);
      }
    }
  }
};

template <int V>
inline void byte_tile_at(const ByteProduct& p, int64_t row, int64_t column) {
  alignas(64) int32_t sums[kByteRows * 16 * V];
  const int64_t rows = p.rows - row < kByteRows ? p.rows - row : kByteRows;
  ByteTiles<V, std::make_integer_sequence<int, kByteRows>>::of[rows - 1](
      p, p.a + row * p.a_row, p.b + column / 16 * p.b_panel, sums);
  by_activation<ActivatedBytes>(p.activation, FinishedBytes{p, sums, row, column, rows, 16 * V});
}

// Panels outside, rows inside, as the product of floats has them.
void byte_product(const ByteProduct& p) {
  for (int64_t column = 0; column < p.columns;) {
    const bool pair = kBytePanels == 2 && p.columns - column > 16;
    for (int64_t row = 0; row < p.rows; row += kByteRows) {
      if (pair) {
        byte_tile_at<kBytePanels>(p, row, column);
      } else {
        byte_tile_at<1>(p, row, column);
      }
    }
    column += pair ? 32 : 16;
  }
}
