// The product of columns with columns, c += a^T b, for gradients of weights. Contract:
// ops/linear.h, LinearBackwardWeight.
//
// A tile of R rows by V times 16 columns of c stays in registers while the rows of a and b pass,
// both read where they are. Each element is one chain of fmas over the rows in order that begins
// with its present value. Packing both first, as a weight is packed, cost 4 to 9 % of the peak at
// depths of 512 on Zen 4: every tile reads two lines of b and one of a for each row, which the
// second cache brings in time in any order, and packing reads and writes all of it once more. The
// next tile of c is asked for meanwhile. Of 256 rows at a time and 96 rows of c in an item, half
// and twice either lost 1 to 5 %. Tiles of one panel have half the fmas for a row: they read b from
// a copy of their panel, and find a copied (../linear.cpp).

struct OuterTile {
  const float* a;  // element (k, r) at a[k * a_row + r]
  int64_t a_row;
  const float* b;  // element (k, j) at b[k * b_row + j]
  int64_t b_row;
  float* c;
  int64_t c_row, columns, depth;
  const float* next;  // the tile of c that follows
};

// Whole: 16 V columns; otherwise fewer than 16.
template <int R, int V, bool Whole>
__attribute__((noinline)) void outer_tile(const OuterTile& p) {
  constexpr int64_t kRowsPerLine = 8;  // rows of a and b to one row of the next tile
  const int64_t a_row = p.a_row, b_row = p.b_row, n = p.columns;
  Lanes sum[R][V];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
    float* c = p.c + r * p.c_row;
    sum[r][0] = Whole ? load(c) : load_some(c, n);
    if (V == 2) sum[r][V - 1] = load(c + 16);
  }
  const float *a = p.a, *b = p.b, *next = p.next;
  for (int64_t k = 0; k < p.depth;) {
    const int64_t end = k + kRowsPerLine < p.depth ? k + kRowsPerLine : p.depth;
    if (k < kRowsPerLine * R) {
      __builtin_prefetch(next, 1);
      if (V == 2) __builtin_prefetch(next + 16, 1);
      next += p.c_row;
    }
#pragma GCC unroll 4
    for (; k < end; ++k) {
      const Lanes left = Whole ? load(b) : load_some(b, n);
      Lanes right;
      if (V == 2) right = load(b + 16);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) {
        const Lanes x = all(a[r]);
        sum[r][0] = fma(x, left, sum[r][0]);
        if (V == 2) sum[r][V - 1] = fma(x, right, sum[r][V - 1]);
      }
      a += a_row;
      b += b_row;
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
    float* c = p.c + r * p.c_row;
    Whole ? store(c, sum[r][0]) : store_some(c, sum[r][0], n);
    if (V == 2) store(c + 16, sum[r][V - 1]);
  }
}

using OuterTileOf = void (*)(const OuterTile&);

template <int V, bool Whole, class Counts = TileRowCounts>
struct OuterTable;
template <int V, bool Whole, int... R>
struct OuterTable<V, Whole, RowCounts<R...>> {
  OuterTileOf of[sizeof...(R)] = {outer_tile<R, V, Whole>...};
};
template <int V, bool Whole>
inline constexpr OuterTable<V, Whole> outer_tiles{};

constexpr int64_t kNearRows = kTilePanels == 1 ? 256 : 0;  // of a panel that is copied

// Columns outside, rows inside: the columns of b stay in the second cache while those of a pass.
void outer_product(const OuterProduct& p) {
  alignas(64) float near[kNearRows * 16 + 16];
  for (int64_t column = 0; column < p.columns;) {
    const int64_t left = p.columns - column;
    const bool is_wide = left >= 16 * kTilePanels, is_whole = left >= 16;
    const int64_t columns = is_wide ? 16 * kTilePanels : is_whole ? 16 : left;
    const OuterTileOf* tiles = is_wide    ? outer_tiles<kTilePanels, true>.of
                               : is_whole ? outer_tiles<1, true>.of
                                          : outer_tiles<1, false>.of;
    const float* b = p.b + column;
    int64_t b_row = p.b_row;
    if (is_wide && p.rows >= 8 * kTileRows && p.depth <= kNearRows) {
      for (int64_t k = 0; k < p.depth; ++k) store(near + 16 * k, load(b + k * b_row));
      b = near;
      b_row = 16;
    }
    for (int64_t row = 0; row < p.rows; row += kTileRows) {
      const int64_t rows = p.rows - row < kTileRows ? p.rows - row : kTileRows;
      float* c = p.c + row * p.c_row + column;
      const bool is_last = row + rows == p.rows;
      const float* next = is_last ? p.c + column + columns : c + rows * p.c_row;
      const OuterTile tile{p.a + row, p.a_row, b, b_row, c, p.c_row, columns, p.depth, next};
      tiles[rows - 1](tile);
    }
    column += columns;
  }
}

// sums += the sum of the rows of x, each column a chain in order.
void sum_rows(const float* x, int64_t stride, int64_t rows, int64_t columns, float* sums) {
  constexpr int kWide = 4;
  int64_t j = 0;
  for (; j + 16 * kWide <= columns; j += 16 * kWide) {
    Lanes sum[kWide];
    for (int i = 0; i < kWide; ++i) sum[i] = load(sums + j + 16 * i);
    for (int64_t row = 0; row < rows; ++row) {
#pragma GCC unroll 4
      for (int i = 0; i < kWide; ++i) sum[i] = add(sum[i], load(x + row * stride + j + 16 * i));
    }
    for (int i = 0; i < kWide; ++i) store(sums + j + 16 * i, sum[i]);
  }
  for (; j < columns; j += 16) {
    const int64_t n = columns - j < 16 ? columns - j : 16;
    Lanes sum = load_some(sums + j, n);
    for (int64_t row = 0; row < rows; ++row) sum = add(sum, load_some(x + row * stride + j, n));
    store_some(sums + j, sum, n);
  }
}
