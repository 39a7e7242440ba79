// Rotary positions. Contract: ops/rotary.h. Heads of a row share the angles of its place, so a row
// is walked head by head while its cosines are in the first cache.

void rotary(const RotaryRows& p) {
  const Lanes along = all(p.magnitude), across = all(p.sign * p.magnitude);
  for (int64_t row = 0; row < p.rows; ++row) {
    const float *cos = p.cos + row * p.pairs, *sin = p.sin + row * p.pairs;
    for (int64_t head = 0; head < p.heads; ++head) {
      float* left = p.x + row * p.x_row + head * p.width;
      float* right = left + p.pairs;
      for (int64_t j = 0; j < p.pairs; j += 16) {
        const int64_t n = p.pairs - j < 16 ? p.pairs - j : 16;
        const Lanes a = load_some(left + j, n), b = load_some(right + j, n);
        const Lanes c = mul(load_some(cos + j, n), along), s = mul(load_some(sin + j, n), across);
        store_some(left + j, fnma(b, s, mul(a, c)), n);
        store_some(right + j, fma(a, s, mul(b, c)), n);
      }
    }
  }
}
