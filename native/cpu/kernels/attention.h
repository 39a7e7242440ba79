// Attention of one text and head. Contract: ops/attention.h.
//
// Keys are transposed into panels and values copied into panels once; then blocks of query rows
// walk them: scores by the product kernel, softmax over whole rows in cache, product with the
// values. No online softmax is needed: a block of rows holds kBlock x tokens scores, so memory is
// linear in the text. The backward pass computes the scores again from lse and adds a block's part
// of dk and dv in the order of the rows, so their bits do not depend on the size of a block either.

constexpr int64_t kBlock = 48;  // query rows at once: 96 KiB of scores at 512 tokens

inline int64_t padded(int64_t n) { return (n + 15) / 16 * 16; }

// panels[p][r][lane] = x[r][16 p + lane]; absent columns are zero.
inline void copy_panels(const float* x, int64_t row, int64_t rows, int64_t columns, float* panels) {
  for (int64_t at = 0; at < columns; at += 16) {
    const int64_t n = columns - at < 16 ? columns - at : 16;
    for (int64_t r = 0; r < rows; ++r, panels += 16) store(panels, load_some(x + r * row + at, n));
  }
}

inline uint32_t dropout_key(const AttentionItem& item, int64_t query) {
  return row_key(item.key, item.text, item.site, uint32_t(query));
}

// scores[r] = q[first + r] . k, for `count` rows.
inline void scores_of(const AttentionItem& item, const float* keys, int64_t query, int64_t count,
                      float* scores, int64_t stride) {
  product({item.q + query * item.qkv_row, item.qkv_row, false, keys, 16 * item.width, scores,
           stride, count, padded(item.tokens), item.width});
}

// exp(scale * score - m) in place, m the largest; zero beyond the text. Returns the sum; m by
// `most`.
inline float soft_row(float* scores, int64_t tokens, float scale, float* most) {
  Lanes best = all(-3.402823466e38f);
  for (int64_t t = 0; t < tokens; t += 16) {
    const int64_t n = tokens - t < 16 ? tokens - t : 16;
    Lanes s = mul(load(scores + t), all(scale));
    store(scores + t, s);
    if (n < 16) {
      for (int64_t lane = n; lane < 16; ++lane) scores[t + lane] = -3.402823466e38f;
      s = load(scores + t);
    }
    best = larger(best, s);
  }
  *most = largest(best);
  const Lanes from = all(*most);
  Lanes sum = zero();
  for (int64_t t = 0; t < tokens; t += 16) {
    const int64_t n = tokens - t < 16 ? tokens - t : 16;
    Lanes e = exp_of(sub(load(scores + t), from));
    if (n < 16) {
      store(scores + t, e);
      e = load_some(scores + t, n);
    }
    store(scores + t, e);
    sum = add(sum, e);
  }
  return fold(sum);
}

inline void drop_row(const AttentionItem& item, float* weights, int64_t query) {
  const uint32_t key = dropout_key(item, query), threshold = dropout_threshold(item.rate);
  for (int64_t t = 0; t < item.tokens; t += 16) {
    store(weights + t, surviving(load(weights + t), key, uint32_t(t), threshold));
  }
}

void attention_forward(const AttentionItem& item, const Stream& stream, Arena& arena) {
  const int64_t stride = padded(item.tokens), wide = padded(item.width);
  float* keys = arena.tensor(stride, item.width).f32();
  float* values = arena.tensor(item.tokens, wide).f32();
  float* scores = arena.tensor(kBlock, stride).f32();
  float inverse[kBlock];
  transpose_panels(item.k, item.qkv_row, item.tokens, item.width, keys);
  copy_panels(item.v, item.qkv_row, item.tokens, item.width, values);
  for (int64_t query = 0; query < item.tokens; query += kBlock) {
    if (stream.is_cancelled()) throw Cancelled();
    const int64_t count = item.tokens - query < kBlock ? item.tokens - query : kBlock;
    scores_of(item, keys, query, count, scores, stride);
    for (int64_t r = 0; r < count; ++r) {
      float most;
      const float sum = soft_row(scores + r * stride, item.tokens, item.scale, &most);
      if (item.lse) item.lse[(query + r) * item.lse_row] = most + __builtin_logf(sum);
      inverse[r] = 1.0f / (sum * (1.0f - item.rate));
      if (item.rate > 0) drop_row(item, scores + r * stride, query + r);
    }
    Product p{
        scores,     stride, false,      values,     16 * item.tokens, item.o + query * item.o_row,
        item.o_row, count,  item.width, item.tokens};
    p.epilogue.row_scale = inverse;
    product(p);
  }
}

// One row of the backward pass: p = exp(scale s - lse) and ds = p (kept dp / (1 - rate) - delta)
// scale; the row of p becomes what dv is made of: p kept / (1 - rate).
inline void soft_row_backward(const AttentionItem& item, int64_t query, float* p, float* dp) {
  const float lse = item.lse[query * item.lse_row];
  const float *o = item.o + query * item.o_row, *dout = item.dout + query * item.o_row;
  const Lanes delta = all(dot(o, dout, item.width)), scale = all(item.scale);
  const Lanes grow = all(1.0f / (1.0f - item.rate));
  const uint32_t key = dropout_key(item, query), threshold = dropout_threshold(item.rate);
  for (int64_t t = 0; t < item.tokens; t += 16) {
    const int64_t n = item.tokens - t < 16 ? item.tokens - t : 16;
    Lanes weight = exp_of(sub(mul(load(p + t), scale), all(lse)));
    store(p + t, weight);
    weight = load_some(p + t, n);
    Lanes kept = weight, back = load(dp + t);
    if (item.rate > 0) {
      kept = mul(surviving(weight, key, uint32_t(t), threshold), grow);
      back = mul(surviving(back, key, uint32_t(t), threshold), grow);
    }
    store(dp + t, mul(mul(weight, sub(back, delta)), scale));
    store(p + t, kept);
  }
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
  float *keys, *value_columns, *key_rows, *scores, *dscores, *packed, *panels;
};

// d (tokens, width) += left^T right for a block of `count` query rows.
inline void add_transposed(const AttentionItem& item, const BackwardScratch& s, const float* left,
                           const float* right, int64_t right_row, int64_t count, float* d) {
  pack_columns(left, padded(item.tokens), count, item.tokens, s.packed);
  copy_panels(right, right_row, count, item.width, s.panels);
  product({s.packed, 0, true, s.panels, 16 * count, d, item.qkv_row, item.tokens, item.width, count,
           true});
}

inline void clear_rows(float* x, int64_t row, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < columns; ++j) x[r * row + j] = 0.0f;
  }
}

void attention_backward(const AttentionItem& item, const Stream& stream, Arena& arena) {
  const int64_t stride = padded(item.tokens), wide = padded(item.width);
  const int64_t groups = (item.tokens + kTileRows - 1) / kTileRows * kTileRows;
  BackwardScratch s;
  s.keys = arena.tensor(stride, item.width).f32();
  s.value_columns = arena.tensor(stride, item.width).f32();
  s.key_rows = arena.tensor(item.tokens, wide).f32();
  s.scores = arena.tensor(kBlock, stride).f32();
  s.dscores = arena.tensor(kBlock, stride).f32();
  s.packed = arena.tensor(kBlock, groups).f32();
  s.panels = arena.tensor(kBlock, wide).f32();
  transpose_panels(item.k, item.qkv_row, item.tokens, item.width, s.keys);
  transpose_panels(item.v, item.qkv_row, item.tokens, item.width, s.value_columns);
  copy_panels(item.k, item.qkv_row, item.tokens, item.width, s.key_rows);
  clear_rows(item.dk, item.qkv_row, item.tokens, item.width);
  clear_rows(item.dv, item.qkv_row, item.tokens, item.width);
  for (int64_t query = 0; query < item.tokens; query += kBlock) {
    if (stream.is_cancelled()) throw Cancelled();
    const int64_t count = item.tokens - query < kBlock ? item.tokens - query : kBlock;
    const float* dout = item.dout + query * item.o_row;
    scores_of(item, s.keys, query, count, s.scores, stride);
    product({dout, item.o_row, false, s.value_columns, 16 * item.width, s.dscores, stride, count,
             stride, item.width});
    for (int64_t r = 0; r < count; ++r) {
      soft_row_backward(item, query + r, s.scores + r * stride, s.dscores + r * stride);
    }
    product({s.dscores, stride, false, s.key_rows, 16 * item.tokens, item.dq + query * item.qkv_row,
             item.qkv_row, count, item.width, item.tokens});
    add_transposed(item, s, s.dscores, item.q + query * item.qkv_row, item.qkv_row, count, item.dk);
    add_transposed(item, s, s.scores, dout, item.o_row, count, item.dv);
  }
}
