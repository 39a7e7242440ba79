// The softmax of a tile of scores. Contract: ops/contrast.h.
//
// A tile comes as dot products in the second cache and is walked row by row, twice at most. Which
// elements count is decided outside, as a bit per element. Sums over a row run in 16 lanes that are
// folded at the end of the tile, so their order depends on the width of a tile alone.

constexpr float kLowest = -__builtin_inff();

// Makes scores of dot products in place; returns their largest among candidates.
inline float scale_row(const ContrastTile& p, int64_t row, float* s, const uint16_t* candidates) {
  const Lanes factor = all(p.row_factor[row]);
  Lanes most = all(kLowest), total = zero();
  int32_t count = 0;
  for (int64_t j = 0; j < p.lanes; j += 16) {
    const uint32_t bits = candidates[j / 16];
    const Lanes x = mul(mul(load(s + j), load(p.lane_factor + j)), factor);
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
    const float before = p.most[row], here = scale_row(p, row, s, candidates);
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

// G of a row, times the factor of its lane, in place of dot products; adds sum G s to `along`. The
// softmax runs over lanes, or, when ByLane, each lane is a softmax of its own.
template <bool ByLane>
inline void gradient_row(const ContrastTile& p, int64_t row) {
  float* s = p.scores + row * p.stride;
  const uint16_t* candidates = p.candidates + row * p.lanes / 16;
  const Lanes factor = all(p.row_factor[row]);
  Lanes lse, dlse, shift, along = zero();
  if (!ByLane) {
    lse = all(p.lse[row]);
    dlse = all(p.dlse[row]);
    shift = all(p.shift[row]);
  }
  for (int64_t j = 0; j < p.lanes; j += 16) {
    const uint32_t bits = candidates[j / 16];
    const Lanes lane = load(p.lane_factor + j), dot = load(s + j);
    if (ByLane) {
      lse = load(p.lse + j);
      dlse = load(p.dlse + j);
      shift = load(p.shift + j);
    }
    // the column's factor comes first here and there: the scores have the bits of forward
    const Lanes x = ByLane ? mul(mul(dot, factor), lane) : mul(mul(dot, lane), factor);
    const Lanes below = sub(x, lse);
    const Lanes e = chosen(exp_of(below), greater(below, all(-87.0f)), zero());
    const Lanes g = chosen(fma(dlse, e, shift), bits, zero());
    along = fma(g, chosen(x, bits, zero()), along);
    store(s + j, mul(g, lane));
  }
  if (p.along) p.along[row] += fold(along);
}

void contrast_backward(const ContrastTile& p) {
  for (int64_t row = 0; row < p.rows; ++row) {
    if (p.by_lane) {
      gradient_row<true>(p, row);
    } else {
      gradient_row<false>(p, row);
    }
  }
}
