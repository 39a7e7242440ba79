// Attention of some queries of one head. Contract: ops/attention.h.
//
// Keys and values come packed as panels. Blocks of query rows walk the panels that one of their
// rows sees: scores by the product kernel, softmax over rows in cache, product with the values. Up
// to kKeys keys (cpu/attention.cpp) are all there at once and a row is softened as a whole; more
// come in several items, and a row carries its largest score and its sum along while o is scaled to
// it. The backward pass computes the scores again from lse and adds a block's part of dk and dv in
// the order of the rows, so their bits do not depend on the size of a block either.
//
// 12 heads of 32, one thread of a Zen 5, AVX-512, GFLOP/s forward and backward: 128 tokens 62 and
// 59, 512 78 and 76, 8192 73 and 74; slopes or biases cost 1 to 5 %, dropout 8. A window of 64
// takes 50 ms over 8192 tokens, all of them 1400. Tried: whole rows of 8192 scores (forward even,
// backward 58), steps of 256 keys (-7 %) and of 1024 (-2 to -10 %).
//
// A Zen 4 at 128 tokens runs forward at 65 % of its peak in cache: of the time products take 68 %,
// softmax 23, packing 8. Tried there: powers of two of queries scaled before (other bits; even at
// 128, +5 % at 512), maxima and sums of sixteen rows folded by a transpose (-2 to -4 %), four
// vectors of exp abreast (even).

constexpr int64_t kBlock = 48;  // query rows at once: 96 KiB of scores at 512 keys
constexpr float kUnseen = -3.402823466e38f;

inline int64_t padded(int64_t n) { return (n + 15) / 16 * 16; }

// panels[p][r][lane] = x[r][16 p + lane], panels panel_row rows long; absent columns are zero.
inline void copy_panels(const float* x, int64_t row, int64_t rows, int64_t columns, float* panels,
                        int64_t panel_row) {
  for (int64_t at = 0; at < columns; at += 16, panels += 16 * panel_row) {
    const int64_t n = columns - at < 16 ? columns - at : 16;
    for (int64_t r = 0; r < rows; ++r) store(panels + 16 * r, load_some(x + r * row + at, n));
  }
}

// Asks for what the next head finds beside the columns of this one: a fifth of 32 tokens, 4 % of
// 128.
inline void ask_beside(const AttentionItem& item, int64_t row) {
  for (int64_t j = item.width; j < 2 * item.width; j += 16) {
    __builtin_prefetch(item.q + row * item.qkv_row + j, 0, 2);
    __builtin_prefetch(item.k + row * item.qkv_row + j, 0, 2);
    __builtin_prefetch(item.v + row * item.qkv_row + j, 0, 2);
  }
}

void attention_pack(const AttentionItem& item, int64_t begin, int64_t end) {
  const AttentionPanels& panels = item.panels;
  const int64_t at = begin - panels.first, rows = end - begin, width = item.width;
  const float *k = item.k + begin * item.qkv_row, *v = item.v + begin * item.qkv_row;
  if (panels.key_columns)
    transpose_panels(k, item.qkv_row, rows, width, panels.key_columns + at * width);
  if (panels.value_columns)
    transpose_panels(v, item.qkv_row, rows, width, panels.value_columns + at * width);
  if (panels.key_rows)
    copy_panels(k, item.qkv_row, rows, width, panels.key_rows + 16 * at, panels.count);
  if (panels.value_rows)
    copy_panels(v, item.qkv_row, rows, width, panels.value_rows + 16 * at, panels.count);
  for (int64_t row = begin; row < end; ++row) ask_beside(item, row);
}

// Keys by their number in the panels.
struct Keys {
  int64_t begin, end;
};

// Those that `count` queries from `query` see between them.
inline Keys seen_by(const AttentionItem& item, int64_t query, int64_t count) {
  const int64_t begin = item.first_key(query) - item.panels.first;
  const int64_t end = item.end_key(query + count - 1) - item.panels.first;
  return {begin > 0 ? begin : 0, end < item.panels.count ? end : item.panels.count};
}

// A block of query rows and the keys it has scores for, from a whole panel on.
struct Rows {
  int64_t query, count;
  Keys keys;
  int64_t stride;  // of scores

  int64_t size() const { return keys.end - keys.begin; }
};

inline Rows rows_from(const AttentionItem& item, int64_t query) {
  Rows rows;
  rows.query = query;
  rows.count = item.query_end - query < kBlock ? item.query_end - query : kBlock;
  rows.keys = seen_by(item, query, rows.count);
  rows.keys.begin -= rows.keys.begin % 16;
  rows.stride = padded(item.panels.count);
  return rows;
}

// scores[r] = x[r] . panels, for the rows and their keys.
inline void scores_of(const Rows& rows, const float* x, int64_t x_row, int64_t width,
                      const float* panels, float* scores) {
  product({x + rows.query * x_row, x_row, false, panels + rows.keys.begin * width, 16 * width,
           scores, rows.stride, rows.count, padded(rows.size()), width});
}

// Limits of lanes: none for the sixteen in the middle, `outside` for those around them.
struct Edge {
  float limits[48];

  constexpr explicit Edge(float outside) : limits{} {
    for (int i = 0; i < 48; ++i) limits[i] = i / 16 == 1 ? __builtin_inff() : outside;
  }
};
constexpr Edge kUnseenScore(kUnseen), kUnseenWeight(0.0f);

// The lanes [begin, end) of x, the edge's limit in the rest; what is no number stays so.
inline Lanes within(Lanes x, int64_t begin, int64_t end, const Edge& edge) {
  x = smaller(load(edge.limits + 16 - (begin > 0 ? begin : 0)), x);
  return smaller(load(edge.limits + 32 - (end < 16 ? end : 16)), x);
}

inline void clear(float* x, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i += 16) store(x + i, zero());
}

// One query and the scores of a block that are its own: [begin, end) of a row of `size`.
struct Row {
  int64_t query, begin, end, size;
  const float* distances;  // of the first score
  uint32_t dropout, column;

  int64_t from() const { return begin - begin % 16; }
  bool whole(int64_t t) const { return t >= begin && t + 16 <= end; }
};

inline Row row_of(const AttentionItem& item, const Rows& rows, int64_t query) {
  const Keys seen = seen_by(item, query, 1);
  const int64_t key = item.panels.first + rows.keys.begin;
  Row row;
  row.query = query;
  row.begin = seen.begin - rows.keys.begin;
  row.end = seen.end - rows.keys.begin;
  row.size = padded(rows.size());
  row.distances = item.distances ? item.distances + (key - query) : nullptr;
  row.dropout = item.rate > 0 ? row_key(item.key, item.text, item.site, uint32_t(query)) : 0;
  row.column = uint32_t(key);
  return row;
}

inline Lanes score_at(const Row& row, const float* scores, int64_t t, Lanes scale) {
  const Lanes scaled = mul(load(scores + t), scale);
  return row.distances ? add(scaled, load(row.distances + t)) : scaled;
}

// Makes scores complete; the largest of them and of what `most` was.
inline float largest_of(const AttentionItem& item, const Row& row, float* scores, float most) {
  const Lanes scale = all(item.scale);
  Lanes best = all(most);
  for (int64_t t = row.from(); t < row.end; t += 16) {
    Lanes s = score_at(row, scores, t, scale);
    if (!row.whole(t)) s = within(s, row.begin - t, row.end - t, kUnseenScore);
    store(scores + t, s);
    best = larger(best, s);
  }
  return largest(best);
}

// Scores become exp(score - most), or zero where nothing is seen. Returns their sum.
inline float soften(const Row& row, float* scores, float most) {
  const Lanes from = all(most);
  Lanes sum = zero();
  clear(scores, 0, row.from());
  for (int64_t t = row.from(); t < row.end; t += 16) {
    Lanes e = exp_of(sub(load(scores + t), from));
    if (!row.whole(t)) e = within(e, row.begin - t, row.end - t, kUnseenWeight);
    store(scores + t, e);
    sum = add(sum, e);
  }
  clear(scores, padded(row.end), row.size);
  return fold(sum);
}

inline void drop_row(const AttentionItem& item, const Row& row, float* weights) {
  const uint32_t threshold = dropout_threshold(item.rate);
  for (int64_t t = row.from(); t < row.end; t += 16) {
    store(weights + t,
          surviving(load(weights + t), row.dropout, row.column + uint32_t(t), threshold));
  }
}

// What keys before these have left in o and in the sum now counts relative to `most`.
inline float carry_on(const AttentionItem& item, int64_t query, float most, float sum) {
  if (item.most[query] != most) {
    float factors[16];
    store(factors, exp_of(all(item.most[query] - most)));
    const float factor = factors[0];
    float* o = item.o + query * item.o_row;
    for (int64_t j = 0; j < item.width; ++j) o[j] *= factor;
    item.most[query] = most;
    item.sum[query] *= factor;
  }
  return item.sum[query] += sum;
}

// Makes weights of scores. Returns what the row of o is multiplied by when these keys are in it:
// one as long as others follow.
inline float soft_row(const AttentionItem& item, const Row& row, float* scores) {
  if (row.begin >= row.end) {
    clear(scores, 0, row.size);
    return 1.0f;
  }
  const float most = largest_of(item, row, scores, item.most ? item.most[row.query] : kUnseen);
  float sum = soften(row, scores, most);
  if (item.rate > 0) drop_row(item, row, scores);
  if (item.most) sum = carry_on(item, row.query, most, sum);
  if (item.end_key(row.query) > item.panels.first + item.panels.count) return 1.0f;
  if (item.lse) item.lse[row.query * item.lse_row] = most + __builtin_logf(sum);
  return 1.0f / (sum * (1.0f - item.rate));
}

void attention_forward(const AttentionItem& item, const Stream& stream, Arena& arena) {
  const AttentionPanels& panels = item.panels;
  float* scores = arena.tensor(kBlock, padded(panels.count)).f32();
  float factors[kBlock];
  for (int64_t query = item.query_begin; query < item.query_end; query += kBlock) {
    if (stream.is_cancelled()) throw Cancelled();
    const Rows rows = rows_from(item, query);
    if (rows.size() <= 0) continue;
    scores_of(rows, item.q, item.qkv_row, item.width, panels.key_columns, scores);
    for (int64_t r = 0; r < rows.count; ++r) {
      factors[r] = soft_row(item, row_of(item, rows, query + r), scores + r * rows.stride);
    }
    Product p{scores,
              rows.stride,
              false,
              panels.value_rows + 16 * rows.keys.begin,
              16 * panels.count,
              item.o + query * item.o_row,
              item.o_row,
              rows.count,
              item.width,
              rows.size(),
              item.most != nullptr};
    p.epilogue.row_scale = factors;
    product(p);
  }
}

// One row of the backward pass: p = exp(score - lse) and ds = p (kept dp / (1 - rate) - delta),
// left in dp times scale; the row of p becomes what dv is made of: p kept / (1 - rate).
inline void soft_row_backward(const AttentionItem& item, const Row& row, float* p, float* dp) {
  const float lse = item.lse[row.query * item.lse_row];
  const float *o = item.o + row.query * item.o_row, *dout = item.dout + row.query * item.o_row;
  const Lanes delta = all(dot(o, dout, item.width)), scale = all(item.scale);
  const Lanes grow = all(1.0f / (1.0f - item.rate));
  const uint32_t threshold = dropout_threshold(item.rate);
  const bool drops = item.rate > 0;
  float* ddistances = item.ddistances;
  if (ddistances) ddistances += int64_t(row.column) - row.query - item.ddistances_first;
  for (int64_t t = row.from(); t < row.end; t += 16) {
    Lanes weight = exp_of(sub(score_at(row, p, t, scale), all(lse)));
    if (!row.whole(t)) weight = within(weight, row.begin - t, row.end - t, kUnseenWeight);
    Lanes kept = weight, back = load(dp + t);
    if (drops) {
      const uint32_t column = row.column + uint32_t(t);
      kept = mul(surviving(weight, row.dropout, column, threshold), grow);
      back = mul(surviving(back, row.dropout, column, threshold), grow);
    }
    const Lanes dscore = mul(weight, sub(back, delta));
    if (ddistances) store(ddistances + t, add(load(ddistances + t), dscore));
    store(dp + t, mul(dscore, scale));
    store(p + t, kept);
  }
}

inline void clear_unseen(const Row& row, float* x) {
  if (row.begin >= row.end) return clear(x, 0, row.size);
  clear(x, 0, row.from());
  clear(x, padded(row.end), row.size);
}

// Groups of kTileRows columns of x (rows, columns) as [row][kTileRows]: the left side of x^T y.
inline void pack_columns(const float* x, int64_t row, int64_t rows, int64_t columns,
                         float* packed) {
  for (int64_t at = 0; at < columns; at += kTileRows) {
    const int64_t n = columns - at < kTileRows ? columns - at : kTileRows;
    for (int64_t r = 0; r < rows; ++r, packed += kTileRows) {
      for (int64_t i = 0; i < n; ++i) packed[i] = x[r * row + at + i];
    }
  }
}

struct BackwardScratch {
  float *scores, *dscores, *packed, *panels;
};

// d (keys, width) += left^T right for the keys of a block of rows.
inline void add_transposed(const AttentionItem& item, const Rows& rows, const BackwardScratch& s,
                           const float* left, float* d) {
  pack_columns(left, rows.stride, rows.count, rows.size(), s.packed);
  product({s.packed, rows.count, true, s.panels, 16 * rows.count,
           d + rows.keys.begin * item.dkv_row, item.dkv_row, rows.size(), item.width, rows.count,
           true});
}

inline void backward_block(const AttentionItem& item, const Rows& rows, const BackwardScratch& s) {
  const AttentionPanels& panels = item.panels;
  const float* q = item.q + rows.query * item.qkv_row;
  const float* dout = item.dout + rows.query * item.o_row;
  scores_of(rows, item.q, item.qkv_row, item.width, panels.key_columns, s.scores);
  scores_of(rows, item.dout, item.o_row, item.width, panels.value_columns, s.dscores);
  for (int64_t r = 0; r < rows.count; ++r) {
    const Row row = row_of(item, rows, rows.query + r);
    float *p = s.scores + r * rows.stride, *dp = s.dscores + r * rows.stride;
    soft_row_backward(item, row, p, dp);
    clear_unseen(row, p);
    clear_unseen(row, dp);
  }
  product({s.dscores, rows.stride, false, panels.key_rows + 16 * rows.keys.begin, 16 * panels.count,
           item.dq + rows.query * item.qkv_row, item.qkv_row, rows.count, item.width, rows.size(),
           panels.count < item.tokens});
  copy_panels(q, item.qkv_row, rows.count, item.width, s.panels, rows.count);
  add_transposed(item, rows, s, s.dscores, item.dk);
  copy_panels(dout, item.o_row, rows.count, item.width, s.panels, rows.count);
  add_transposed(item, rows, s, s.scores, item.dv);
}

void attention_backward(const AttentionItem& item, const Stream& stream, Arena& arena) {
  const int64_t count = item.panels.count;
  BackwardScratch s;
  s.scores = arena.tensor(kBlock, padded(count)).f32();
  s.dscores = arena.tensor(kBlock, padded(count)).f32();
  s.packed = arena.tensor(kBlock, (count + kTileRows - 1) / kTileRows * kTileRows).f32();
  s.panels = arena.tensor(kBlock, padded(item.width)).f32();
  for (int64_t query = item.query_begin; query < item.query_end; query += kBlock) {
    if (stream.is_cancelled()) throw Cancelled();
    const Rows rows = rows_from(item, query);
    if (rows.size() > 0) backward_block(item, rows, s);
  }
}
