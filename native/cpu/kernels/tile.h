// The product of a few rows with panels of 16 columns. Contract: ops/linear.h.
//
// A register tile of R rows by V panels keeps its R * V * 16 sums in registers while it walks the
// depth once: 12 x 32 with 32 registers of 512 bits, 6 x 16 with 16 of 256. Rows of `a` are read in
// place by broadcast; packing them lost 2 to 20 % where it was tried. The depth is never split, so
// every element is one chain of fmas in order, for any number of rows. Ragged rows have a tile of
// their own; ragged columns go through a buffer.
//
// One thread of a Zen 4, AVX-512, share of its peak of 118 GFLOP/s from the second cache: depth 384
// 97 %, 1536 99 %; with GELU 91. Asking for c when a tile begins is worth 4 %. Tried and lost
// there: asking for the panels to come (even, -1 % from the cache), blocks of 24, 48, 132 or 192
// rows (even or lower), four vectors of GELU abreast (even), a GELU of five fmas fewer (other bits,
// and 1.5 % of the one product that has it).

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
  const float* bias;       // of the panels, or null
  const float* row_scale;  // multiplies the sums of each row, or null
};

// What the chain of an element begins with.
inline Lanes begin_of(const TileArgs& args, const float* c, int at) {
  if (!args.bias) return args.accumulate ? load(c + at) : zero();
  const Lanes bias = load(args.bias + at);
  return args.accumulate ? add(bias, load(c + at)) : bias;
}

template <int R, int V, bool Packed>
__attribute__((noinline)) void tile(const TileArgs& args) {
  Lanes sum[R][V];
  float* c = args.c;
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
    __builtin_prefetch(c + r * args.c_row, 1);
    if (V == 2) __builtin_prefetch(c + r * args.c_row + 16, 1);
    sum[r][0] = begin_of(args, c + r * args.c_row, 0);
    if (V == 2) sum[r][V - 1] = begin_of(args, c + r * args.c_row, 16);
  }
  // One pointer for three rows. With one address for each of twelve the compiler kept addresses in
  // memory: 93 % of the peak of a Zen 4 where this reaches 96.
  constexpr int kThree = (R + 2) / 3;
  const float *a[kThree], *b0 = args.b0, *b1 = args.b1;
  const int64_t a_row = Packed ? 1 : args.a_row;
  const int64_t a_step = Packed ? kTileRows : 1;
#pragma GCC unroll 4
  for (int i = 0; i < kThree; ++i) {
    a[i] = args.a + 3 * i * a_row;
    __asm__("" : "+r"(a[i]));
  }
#pragma GCC unroll 4
  for (int64_t k = 0; k < args.depth; ++k) {
    const Lanes left = load(b0);
    Lanes right;
    if (V == 2) right = load(b1);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const Lanes x = all(a[r / 3][r % 3 * a_row]);
      sum[r][0] = fma(x, left, sum[r][0]);
      if (V == 2) sum[r][V - 1] = fma(x, right, sum[r][V - 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < kThree; ++i) a[i] += a_step;
    b0 += 16;
    if (V == 2) b1 += 16;
  }
  if (args.row_scale) {
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const Lanes scale = all(args.row_scale[r]);
      for (int v = 0; v < V; ++v) sum[r][v] = mul(sum[r][v], scale);
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
    store(c + r * args.c_row, sum[r][0]);
    if (V == 2) store(c + r * args.c_row + 16, sum[r][V - 1]);
  }
}

using Tile = void (*)(const TileArgs&);

// The numbers of rows that tiles are compiled for, from 1.
template <int... R>
struct RowCounts {};
#if defined(INBATCH_AVX512)
using TileRowCounts = RowCounts<1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12>;
#elif defined(INBATCH_AVX2)
using TileRowCounts = RowCounts<1, 2, 3, 4, 5, 6>;
#else
using TileRowCounts = RowCounts<1, 2>;
#endif

template <int V, bool Packed, class Counts = TileRowCounts>
struct TileTable;
template <int V, bool Packed, int... R>
struct TileTable<V, Packed, RowCounts<R...>> {
  Tile of[sizeof...(R)] = {tile<R, V, Packed>...};
};
template <int V, bool Packed>
inline constexpr TileTable<V, Packed> tiles{};

template <int V>
inline void run_tile(int64_t rows, bool packed, const TileArgs& args) {
  (packed ? tiles<V, true>.of[rows - 1] : tiles<V, false>.of[rows - 1])(args);
}

// A tile that holds its sums, while it is in the first cache.
struct Finished {
  const Product& p;
  float* c;
  int64_t row, column, rows, columns;

  int64_t at(int64_t r) const { return (row + r) * p.c_row + column; }
  int64_t some(int64_t j) const { return columns - j < 16 ? columns - j : 16; }
};

// Scale and activation.
template <Activation K>
struct Activated {
  static void run(const Finished& f) {
    const Epilogue& e = f.p.epilogue;
    const Lanes scale = all(e.scale);
    for (int64_t r = 0; r < f.rows; ++r) {
      float* c = f.c + r * f.p.c_row;
      for (int64_t j = 0; j < f.columns; j += 16) {
        const Lanes x = mul(load_some(c + j, f.some(j)), scale);
        if (e.pre) store_some(e.pre + f.at(r) + j, x, f.some(j));
        store_some(c + j, curve_of<K>(x).value, f.some(j));
      }
    }
  }
};

// R rows of sixteen columns of c times the slopes at pre. All of pre is read before c is written:
// rows often lie a multiple of half a page apart, and a load waits for the stores before it that
// have its place in a page. Row after row sixteen elements took 139 cycles on Zen 4, of which the
// slope of GELU is 31. A buffer between the sums and c changed nothing; slopes in a buffer before
// the sums lost a third of what was gained.
template <Activation K, int R>
inline void slope_rows(const float* pre, float* c, int64_t row) {
  Lanes slope[R];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) slope[r] = load(pre + r * row);
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) slope[r] = curve_of<K>(slope[r]).slope;
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) store(c + r * row, mul(load(c + r * row), slope[r]));
}

template <Activation K>
struct Gated {
  static void run(const Finished& f) {
    const int64_t row = f.p.c_row;
    for (int64_t j = 0; j < f.columns; j += 16) {
      const int64_t n = f.some(j);
      const float* pre = f.p.epilogue.gate_pre + f.at(0) + j;
      float* c = f.c + j;
      if (n == 16 && f.rows == kTileRows) {
        slope_rows<K, kTileRows>(pre, c, row);
        continue;
      }
      for (int64_t r = 0; r < f.rows; ++r) {
        const Lanes slope = curve_of<K>(load_some(pre + r * row, n)).slope;
        store_some(c + r * row, mul(load_some(c + r * row, n), slope), n);
      }
    }
  }
};

inline void finish(const Finished& f) {
  const Epilogue& e = f.p.epilogue;
  if (e.activation != Activation::None || e.pre || e.scale != 1.0f) {
    by_activation<Activated>(e.activation, f);
  }
  if (e.gate_pre) by_activation<Gated>(e.gate, f);
}

// Asks for what the epilogue of a tile reads or writes beside c while the tile is computed. Without
// it products with a slope lost a tenth of their time to memory.
template <int V>
inline void prefetch_epilogue(const Epilogue& e, int64_t at, int64_t c_row, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r, at += c_row) {
    for (int v = 0; v < V; ++v) {
      if (e.gate_pre) __builtin_prefetch(e.gate_pre + at + 16 * v);
      if (e.pre) __builtin_prefetch(e.pre + at + 16 * v, 1);
    }
  }
}

// One tile at (row, column) of the product; ragged columns are computed in a buffer.
template <int V>
inline void tile_at(const Product& p, int64_t row, int64_t column) {
  alignas(64) float buffer[kTileRows * 16 * kTilePanels], bias_buffer[16 * kTilePanels];
  const int64_t rows = p.rows - row < kTileRows ? p.rows - row : kTileRows;
  const int64_t columns = p.columns - column < 16 * V ? p.columns - column : 16 * V;
  const bool ragged = columns < 16 * V;
  float* c = p.c + row * p.c_row + column;
  const float* a = p.a + row * p.a_row;
  const float* b = p.b + column / 16 * p.b_panel;
  const float* bias = p.epilogue.bias ? p.epilogue.bias + column : nullptr;
  if (ragged && bias) {
    for (int64_t j = 0; j < columns; ++j) bias_buffer[j] = bias[j];
    bias = bias_buffer;
  }
  if (ragged && p.accumulate) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t j = 0; j < columns; ++j) buffer[r * 16 * V + j] = c[r * p.c_row + j];
    }
  }
  if (p.epilogue.gate_pre || p.epilogue.pre) {
    prefetch_epilogue<V>(p.epilogue, row * p.c_row + column, p.c_row, rows);
  }
  const float* row_scale = p.epilogue.row_scale ? p.epilogue.row_scale + row : nullptr;
  run_tile<V>(rows, p.packed,
              {a, p.a_row, b, b + p.b_panel, ragged ? buffer : c, ragged ? 16 * V : p.c_row,
               p.depth, p.accumulate, bias, row_scale});
  for (int64_t r = 0; ragged && r < rows; ++r) {
    for (int64_t j = 0; j < columns; ++j) c[r * p.c_row + j] = buffer[r * 16 * V + j];
  }
  finish({p, c, row, column, rows, columns});
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
