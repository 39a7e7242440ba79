// What all kernels of attention share: which text a block works on, what a query sees, what
// distance adds to a score, which weights are dropped. Contract: ops/attention.h.
#pragma once

#include "../base/random.h"
#include "../ops/attention.h"
#include "launch.cuh"

namespace inbatch::cuda {

// The distances at which the buckets begin that hold several: found on the host, where the
// logarithm has the bits of the CPU.
struct Buckets {
  static constexpr int kMost = 256;
  int count = 0, exact = 0, wide = 0;  // of both directions; of one distance; of several
  int32_t begin[kMost];

  template <class Op>
  static Buckets of_op(const Op& op) {
    Buckets buckets;
    if (op.bias.empty()) return buckets;
    buckets.count = int(op.bias.rows);
    buckets.exact = buckets.count / 4;
    buckets.wide = buckets.count / 2 - buckets.exact;
    expect(buckets.wide <= kMost, Op::name,
           "expected bias of at most " + std::to_string(4 * kMost) + " rows, got " +
               std::to_string(buckets.count));
    for (int i = 0; i < buckets.wide; ++i) {
      buckets.begin[i] = first_of(buckets.exact + i, op.bias.rows, op.furthest);
    }
    return buckets;
  }

  DEVICE int of(int distance) const {
    const int far = distance < 0 ? -distance : distance;
    int bucket = far;
    if (far >= exact) {
      bucket = exact;
      while (bucket + 1 - exact < wide && far >= begin[bucket + 1 - exact]) ++bucket;
    }
    return bucket + (distance > 0 ? count / 2 : 0);
  }

 private:
  static int32_t first_of(int32_t bucket, int64_t count, int32_t furthest) {
    int32_t low = 0, high = 0x7fffffff;
    while (low < high) {
      const int32_t middle = low + (high - low) / 2;
      if (bucket_of(middle, count, furthest) < bucket) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
};

// The fields of an op as kernels read them.
struct AttentionRules {
  int heads, key_heads, width, text_count;
  float scale;
  int before, after;  // how far back and ahead a query sees
  bool adds, drops;   // whether distance adds to scores; whether weights are dropped
  RandomKey key;
  uint32_t site, threshold;
  float grow;  // what a weight that stays is multiplied by
  const int32_t *offsets, *texts, *order;
  const float *slopes, *bias;
  Buckets buckets;

  template <class Op>
  explicit AttentionRules(const Op& op)
      : heads(op.heads),
        key_heads(op.key_heads),
        width(op.width),
        text_count(int(op.offsets.size() - 1)),
        scale(op.scale),
        before(op.window > 0 ? op.window : kAll),
        after(op.causal ? 0 : before),
        adds(!op.slopes.empty() || !op.bias.empty()),
        drops(op.rate > 0),
        key{uint32_t(op.seed), uint32_t(op.step)},
        site(uint32_t(op.site)),
        threshold(dropout_threshold(op.rate)),
        grow(1.0f / (1.0f - op.rate)),
        offsets(op.offsets.i32()),
        texts(op.texts.i32()),
        order(op.order.i32()),
        slopes(op.slopes.f32()),
        bias(op.bias.f32()),
        buckets(Buckets::of_op(op)) {}

  DEVICE int64_t row() const { return int64_t(heads + 2 * key_heads) * width; }  // of qkv
  DEVICE bool sees(int query, int key) const {
    return key - query <= after && query - key <= before;
  }
  // What is added to the score of a key that lies `distance` behind its query.
  DEVICE float added(int distance, int head) const {
    const float slope = slopes ? slopes[head] : 0.0f;
    const float far = float(distance < 0 ? -distance : distance);
    return (bias ? bias[int64_t(buckets.of(distance)) * heads + head] : 0.0f) - slope * far;
  }
  // What random_bits asks for the weights of a query.
  DEVICE uint32_t key_of(int text, int head, int query) const {
    return drops ? row_key(key, uint32_t(texts[text]), site + uint32_t(head), uint32_t(query)) : 0;
  }
  // What the weight of a key is multiplied by.
  DEVICE float kept(uint32_t query_key, int key) const {
    if (!drops) return 1.0f;
    return random_bits(query_key, uint32_t(key)) >= threshold ? grow : 0.0f;
  }

 private:
  static constexpr int kAll = 1 << 30;
};

// Some rows of a text: a tile. Places count from the start of the text.
struct TextTile {
  int text, begin, tokens;  // begin: the text's first row
  int first;                // the tile's first place; beyond the text's last: no tile

  DEVICE bool is_none() const { return first >= tokens; }
  DEVICE int64_t row() const { return int64_t(begin) + first; }
  DEVICE int rows(int most) const { return min(most, tokens - first); }
};

// Text n has the slots from offsets[n] / size + n to the first of the next text: as many as it has
// tiles, or one more. So the tiles of all texts have numbers although lengths are known to the card
// alone.
inline unsigned slots_of(int64_t tokens, int64_t texts, int size) {
  return blocks_of((tokens / size + texts) * size, size);
}

DEVICE TextTile tile_of_slot(const int32_t* offsets, int texts, int size, int slot) {
  int low = 0, high = texts - 1;  // the last text whose slots begin at `slot` or before
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (offsets[middle] / size + middle <= slot) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  const int begin = offsets[low];
  return {low, begin, offsets[low + 1] - begin, (slot - begin / size - low) * size};
}

struct Range {
  int begin, end;
};

// Where the tiles of `met` rows begin and end that hold what the rows of a tile of `size` reach,
// `back` before and `ahead` behind each.
DEVICE Range reach_of(const TextTile& tile, int size, int met, int back, int ahead) {
  const int last = min(tile.first + size, tile.tokens);
  const int begin = max(0, tile.first - min(back, tile.first));
  return {begin / met * met, last + min(ahead, tile.tokens - last)};
}

}  // namespace inbatch::cuda
