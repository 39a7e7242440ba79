// The product of a few rows with panels of 16 columns. Contract: ops/linear.h.
//
// A register tile of R rows by V panels keeps its R * V * 16 sums in registers while it walks the
// depth once: 12 x 32 with 32 registers of 512 bits, 6 x 16 with 16 of 256. Rows of `a` are read in
// place by broadcast; packing them lost 2 to 20 % where it was tried. The depth is never split, so
// every element is one chain of fmas in order, for any number of rows. Ragged rows have a tile of
// their own; ragged columns go through a buffer.

#if defined(INBATCH_AVX512)
constexpr int kTileRows = 12, kTilePanels = 2;
#elif defined(INBATCH_AVX2)
constexpr int kTileRows = 6, kTilePanels = 1;
#else
constexpr int kTileRows = 2, kTilePanels = 1;
#endif

struct TileArgs {
  const float* a;
  int64_t a_row;
  const float *b0, *b1;
  float* c;
  int64_t c_row, depth;
  bool accumulate;
};

template <int R, int V, bool Packed>
__attribute__((noinline)) void tile(const TileArgs& args) {
  Lanes sum[R][V];
  float* c = args.c;
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
    sum[r][0] = args.accumulate ? load(c + r * args.c_row) : zero();
    if (V == 2) sum[r][V - 1] = args.accumulate ? load(c + r * args.c_row + 16) : zero();
  }
  const float *a = args.a, *b0 = args.b0, *b1 = args.b1;
  const int64_t a_row = Packed ? 1 : args.a_row;
  const int64_t a_step = Packed ? kTileRows : 1;
#pragma GCC unroll 4
  for (int64_t k = 0; k < args.depth; ++k) {
    const Lanes left = load(b0);
    Lanes right;
    if (V == 2) right = load(b1);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const Lanes x = all(a[r * a_row]);
      sum[r][0] = fma(x, left, sum[r][0]);
      if (V == 2) sum[r][V - 1] = fma(x, right, sum[r][V - 1]);
    }
    a += a_step;
    b0 += 16;
    if (V == 2) b1 += 16;
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
    store(c + r * args.c_row, sum[r][0]);
    if (V == 2) store(c + r * args.c_row + 16, sum[r][V - 1]);
  }
}

using Tile = void (*)(const TileArgs&);

// The tile of each number of rows, from 1; unused places repeat the last.
template <int V, bool Packed, int... R>
struct TileTable {
  Tile of[sizeof...(R)] = {tile<R, V, Packed>...};
};
#if defined(INBATCH_AVX512)
template <int V, bool Packed>
inline constexpr TileTable<V, Packed, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12> tiles{};
#elif defined(INBATCH_AVX2)
template <int V, bool Packed>
inline constexpr TileTable<V, Packed, 1, 2, 3, 4, 5, 6> tiles{};
#else
template <int V, bool Packed>
inline constexpr TileTable<V, Packed, 1, 2> tiles{};
#endif

template <int V>
inline void run_tile(int64_t rows, bool packed, const TileArgs& args) {
  (packed ? tiles<V, true>.of[rows - 1] : tiles<V, false>.of[rows - 1])(args);
}

// Bias, scale, activation and gate on a finished row, while it is in the first cache.
inline void finish_row(const Epilogue& e, float* c, int64_t row_at, int64_t row, int64_t column,
                       int64_t columns) {
  const Lanes scale = all(e.row_scale ? e.scale * e.row_scale[row] : e.scale);
  for (int64_t j = 0; j < columns; j += 16) {
    const int64_t n = columns - j < 16 ? columns - j : 16;
    Lanes x = load_some(c + j, n);
    if (e.bias) x = add(x, load_some(e.bias + column + j, n));
    x = mul(x, scale);
    if (e.pre) store_some(e.pre + row_at + j, x, n);
    x = activate(e.activation, x);
    if (e.gate_pre) x = mul(x, slope(e.gate, load_some(e.gate_pre + row_at + j, n)));
    store_some(c + j, x, n);
  }
}

inline bool has_work(const Epilogue& e) {
  return e.bias || e.row_scale || e.activation != Activation::None || e.pre || e.gate_pre ||
         e.scale != 1.0f;
}

// One tile at (row, column) of the product; ragged columns are computed in a buffer.
template <int V>
inline void tile_at(const Product& p, int64_t row, int64_t column) {
  alignas(64) float buffer[kTileRows * 16 * kTilePanels];
  const int64_t rows = p.rows - row < kTileRows ? p.rows - row : kTileRows;
  const int64_t columns = p.columns - column < 16 * V ? p.columns - column : 16 * V;
  const bool ragged = columns < 16 * V;
  float* c = p.c + row * p.c_row + column;
  const float* a = p.packed ? p.a + row * p.depth : p.a + row * p.a_row;
  const float* b = p.b + column / 16 * p.b_panel;
  if (ragged && p.accumulate) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t j = 0; j < columns; ++j) buffer[r * 16 * V + j] = c[r * p.c_row + j];
    }
  }
  run_tile<V>(rows, p.packed,
              {a, p.a_row, b, b + p.b_panel, ragged ? buffer : c, ragged ? 16 * V : p.c_row,
               p.depth, p.accumulate});
  for (int64_t r = 0; ragged && r < rows; ++r) {
    for (int64_t j = 0; j < columns; ++j) c[r * p.c_row + j] = buffer[r * 16 * V + j];
  }
  if (!has_work(p.epilogue)) return;
  for (int64_t r = 0; r < rows; ++r) {
    finish_row(p.epilogue, c + r * p.c_row, (row + r) * p.c_row + column, row + r, column, columns);
  }
}

// Panels outside, rows inside: a pair of panels stays in the first caches while all rows pass.
void product(const Product& p) {
  for (int64_t column = 0; column < p.columns;) {
    const bool pair = kTilePanels == 2 && p.columns - column > 16;
    for (int64_t row = 0; row < p.rows; row += kTileRows) {
      if (pair) {
        tile_at<kTilePanels>(p, row, column);
      } else {
        tile_at<1>(p, row, column);
      }
    }
    column += pair ? 32 : 16;
  }
}
