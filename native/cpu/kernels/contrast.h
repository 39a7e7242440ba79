// The softmax of a tile of scores. Contract: ops/contrast.h.
//
// A tile comes as dot products in the second cache and is walked row by row, twice at most. Which
// elements count is decided outside, as a bit per element, but for limits of scores. Sums over a
// row run in 16 lanes that are folded at the end of the tile, so their order depends on the width
// of a tile alone.

constexpr float kLowest = -__builtin_inff();

// A score within its limits.
inline Lanes clamped(const ContrastTile& p, Lanes x) {
  return smaller(all(p.highest), larger(all(p.lowest), x));
}

// What hardness makes of a clamped score.
inline Lanes hardened(const ContrastTile& p, Lanes x, int64_t at) {
  if (!p.weighted) return x;
  return add(x, chosen(mul(x, all(p.gain)), p.weighted[at], zero()));
}

// Makes scores of dot products; returns their largest among candidates.
template <bool Bends>
inline float scale_row(const ContrastTile& p, int64_t row, float* s, const uint16_t* candidates) {
  const float* dots = p.dots + row * p.stride;
  const Lanes factor = all(p.row_factor[row]);
  Lanes most = all(kLowest), total = zero();
  int32_t count = 0;
  for (int64_t j = 0; j < p.lanes; j += 16) {
    const uint32_t bits = candidates[j / 16];
    Lanes x = mul(mul(load(dots + j), load(p.lane_factor + j)), factor);
    if (Bends) x = hardened(p, clamped(p, x), (row * p.lanes + j) / 16);
    store(s + j, x);
    most = larger(most, chosen(x, bits, all(kLowest)));
    total = add(total, chosen(x, bits, zero()));
    count += __builtin_popcount(bits);
  }
  p.total[row] += fold(total);
  p.count[row] += count;
  return largest(most);
}

void contrast_forward(const ContrastTile& p) {
  for (int64_t row = 0; row < p.rows; ++row) {
    float* s = p.scores + row * p.stride;
    const uint16_t* candidates = p.candidates + row * p.lanes / 16;
    const float before = p.most[row];
    const float here =
        p.bends ? scale_row<true>(p, row, s, candidates) : scale_row<false>(p, row, s, candidates);
    if (here == kLowest && before == kLowest) continue;
    const float most = before > here ? before : here;
    Lanes sum = zero();
    for (int64_t j = 0; j < p.lanes; j += 16) {
      const Lanes e = exp_of(sub(load(s + j), all(most)));
      sum = add(sum, chosen(e, candidates[j / 16], zero()));
    }
    alignas(64) float weight[16];
    store(weight, exp_of(all(before - most)));
    p.sum[row] = p.sum[row] * weight[0] + fold(sum);
    p.most[row] = most;
  }
}

// G of a row, times both factors, in place of dot products, zero where the score was clamped; adds
// sum G c to `along`.
template <bool Bends>
inline void gradient_row(const ContrastTile& p, int64_t row) {
  const float* dots = p.dots + row * p.stride;
  float* s = p.scores + row * p.stride;
  const uint16_t* candidates = p.candidates + row * p.lanes / 16;
  const Lanes factor = all(p.row_factor[row]), lse = all(p.lse[row]);
  const Lanes dlse = all(p.dlse[row]), shift = all(p.shift[row]);
  Lanes along = zero(), nested = zero();
  for (int64_t j = 0; j < p.lanes; j += 16) {
    const uint32_t bits = candidates[j / 16];
    const Lanes lane = load(p.lane_factor + j), dot = load(dots + j);
    const Lanes x = mul(mul(dot, lane), factor);
    const Lanes c = Bends ? clamped(p, x) : x;
    const Lanes z = Bends ? hardened(p, c, (row * p.lanes + j) / 16) : x;
    const Lanes below = sub(z, lse);
    const Lanes e = chosen(exp_of(below), greater(below, all(-87.0f)), zero());
    Lanes g = chosen(fma(dlse, e, shift), bits, zero());
    along = fma(g, chosen(c, bits, zero()), along);
    if (Bends) g = chosen(g, ~(greater(x, c) | greater(c, x)), zero());
    g = mul(mul(g, lane), factor);
    if (p.nested) {
      nested = fma(g, dot, nested);
      store(p.nested_lanes + j, fma(g, dot, load(p.nested_lanes + j)));
    }
    store(s + j, g);
  }
  p.along[row] += fold(along);
  if (p.nested) p.nested[row] += fold(nested);
}

void contrast_backward(const ContrastTile& p) {
  for (int64_t row = 0; row < p.rows; ++row) {
    p.bends ? gradient_row<true>(p, row) : gradient_row<false>(p, row);
  }
}

void contrast_equal(const float* keys, int64_t words, const float* wanted, int64_t count,
                    uint16_t* hits) {
  for (int64_t w = 0; w < words; ++w) {
    const Lanes here = load(keys + 16 * w);
    uint32_t bits = 0;
    for (int64_t i = 0; i < count; ++i) bits |= equal(here, all(wanted[i]));
    hits[w] = uint16_t(bits);
  }
}

// Keeps the largest of the scores removed; rare, so one by one.
inline void note_removed(const ContrastStrike& p, int64_t row, int64_t j, uint32_t gone) {
  if (p.removed) p.removed[row * p.counts] += __builtin_popcount(gone);
  if (!p.best) return;
  alignas(64) float shown[16];
  const Lanes dot = load(p.shown + row * p.stride + j);
  store(shown, mul(mul(dot, load(p.shown_lane_factor + j)), all(p.shown_row_factor[row])));
  for (; gone; gone &= gone - 1) {
    const int lane = __builtin_ctz(gone);
    const int32_t column = int32_t(p.first_column + j + lane);
    const bool is_first = p.best_column[row] < 0 || column < p.best_column[row];
    if (shown[lane] < p.best[row] || (shown[lane] == p.best[row] && !is_first)) continue;
    p.best[row] = shown[lane];
    p.best_column[row] = column;
  }
}

void contrast_strike(const ContrastStrike& p) {
  for (int64_t row = 0; row < p.rows; ++row) {
    const float* s = p.scores + row * p.stride;
    const Lanes factor = all(p.row_factor[row]);
    const Lanes limit = all(p.limit[row]);
    for (int64_t j = 0; j < p.lanes; j += 16) {
      const int64_t word = (row * p.lanes + j) / 16;
      const Lanes lane = load(p.lane_factor + j), dot = load(s + j);
      const Lanes x = mul(mul(dot, lane), factor);
      const uint32_t gone = greater(x, limit) & p.candidates[word] & ~uint32_t(p.kept[word]);
      if (!gone) continue;
      p.candidates[word] = uint16_t(p.candidates[word] & ~gone);
      note_removed(p, row, j, gone);
    }
  }
}

void add_rows(const float* x, float* y, int64_t size) {
  for (int64_t i = 0; i < size; i += 16) store(y + i, add(load(y + i), load(x + i)));
}
