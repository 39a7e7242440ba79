// Rows become lanes: how a matrix that is stored by rows comes to the right side of a product.
//
// Squares are turned in registers. The rows of the next panel are asked for meanwhile: sixteen
// streams at once are more than the hardware foresees.

#if defined(INBATCH_AVX512)

constexpr int64_t kSquare = 16;

// out[column][lane] = x[lane][column] for 16 rows and kSquare columns.
inline void transpose_square(const float* x, int64_t row, float* out) {
  __m512 a[16], b[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) a[i] = _mm512_loadu_ps(x + i * row);
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    const __m512d low0 = _mm512_castps_pd(b[i]), high0 = _mm512_castps_pd(b[i + 1]);
    const __m512d low1 = _mm512_castps_pd(b[i + 2]), high1 = _mm512_castps_pd(b[i + 3]);
    a[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(low0, low1));
    a[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low0, low1));
    a[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high0, high1));
    a[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high0, high1));
  }
  // a[4 r + c] holds columns c, 4 + c, 8 + c, 12 + c of the rows 4 r .. 4 r + 3
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512 even0 = _mm512_shuffle_f32x4(a[c], a[4 + c], 0x88);
    const __m512 odd0 = _mm512_shuffle_f32x4(a[c], a[4 + c], 0xdd);
    const __m512 even1 = _mm512_shuffle_f32x4(a[8 + c], a[12 + c], 0x88);
    const __m512 odd1 = _mm512_shuffle_f32x4(a[8 + c], a[12 + c], 0xdd);
    _mm512_storeu_ps(out + 16 * c, _mm512_shuffle_f32x4(even0, even1, 0x88));
    _mm512_storeu_ps(out + 16 * (4 + c), _mm512_shuffle_f32x4(odd0, odd1, 0x88));
    _mm512_storeu_ps(out + 16 * (8 + c), _mm512_shuffle_f32x4(even0, even1, 0xdd));
    _mm512_storeu_ps(out + 16 * (12 + c), _mm512_shuffle_f32x4(odd0, odd1, 0xdd));
  }
}

#elif defined(INBATCH_AVX2)

constexpr int64_t kSquare = 8;

inline void transpose_eight(const float* x, int64_t row, float* out) {
  __m256 a[8], b[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const float *upper = x + i * row, *lower = x + (i + 4) * row;
    a[i] =
        _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(upper)), _mm_loadu_ps(lower), 1);
    a[4 + i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(upper + 4)),
                                    _mm_loadu_ps(lower + 4), 1);
  }
#pragma GCC unroll 2
  for (int half = 0; half < 8; half += 4) {
    b[half] = _mm256_unpacklo_ps(a[half], a[half + 1]);
    b[half + 1] = _mm256_unpackhi_ps(a[half], a[half + 1]);
    b[half + 2] = _mm256_unpacklo_ps(a[half + 2], a[half + 3]);
    b[half + 3] = _mm256_unpackhi_ps(a[half + 2], a[half + 3]);
    _mm256_storeu_ps(out + 16 * half, _mm256_shuffle_ps(b[half], b[half + 2], 0x44));
    _mm256_storeu_ps(out + 16 * (half + 1), _mm256_shuffle_ps(b[half], b[half + 2], 0xee));
    _mm256_storeu_ps(out + 16 * (half + 2), _mm256_shuffle_ps(b[half + 1], b[half + 3], 0x44));
    _mm256_storeu_ps(out + 16 * (half + 3), _mm256_shuffle_ps(b[half + 1], b[half + 3], 0xee));
  }
}
// out[column][lane] = x[lane][column] for 16 rows and kSquare columns.
inline void transpose_square(const float* x, int64_t row, float* out) {
  transpose_eight(x, row, out);
  transpose_eight(x + 8 * row, row, out + 8);
}

#else

constexpr int64_t kSquare = 4;

// out[column][lane] = x[lane][column] for 16 rows and kSquare columns.
inline void transpose_square(const float* x, int64_t row, float* out) {
  for (int64_t lane = 0; lane < 16; ++lane) {
    for (int64_t column = 0; column < kSquare; ++column)
      out[column * 16 + lane] = x[lane * row + column];
  }
}

#endif

// panels[p][column][lane] = x[16 p + lane][column]: rows become lanes; absent rows are zero.
void transpose_panels(const float* x, int64_t row, int64_t rows, int64_t columns, float* panels) {
  for (int64_t at = 0; at < rows; at += 16, panels += 16 * columns) {
    const int64_t n = rows - at < 16 ? rows - at : 16;
    const float* in = x + at * row;
    int64_t column = 0;
    for (; n == 16 && column + kSquare <= columns; column += kSquare) {
      for (int64_t lane = 16; column % 16 == 0 && lane < 32; ++lane) {
        __builtin_prefetch(in + lane * row + column);
      }
      transpose_square(in + column, row, panels + column * 16);
    }
    for (; column < columns; ++column) {
      float* out = panels + column * 16;
      for (int64_t lane = 0; lane < n; ++lane) out[lane] = in[lane * row + column];
      for (int64_t lane = n; lane < 16; ++lane) out[lane] = 0.0f;
    }
  }
}
