// What attention adds to scores by distance: slopes and relative biases as one array. See
// ops/attention.h.
#pragma once

#include <algorithm>
#include <cstdlib>

#include "../ops/attention.h"

namespace inbatch::cpu {

constexpr int64_t kBeyond = 16;  // what a kernel may touch at the ends of an array by distance

// The bucket of each distance up to the longest text, direction aside.
class Buckets {
 public:
  template <class Op>
  Buckets(const Stream& stream, const Op& op) : count_(op.bias.rows) {
    if (op.bias.empty()) return;
    int32_t longest = 1;
    for (int64_t text = 0; text + 1 < op.offsets.size(); ++text) {
      longest = std::max(longest, op.offsets.i32()[text + 1] - op.offsets.i32()[text]);
    }
    near_ = stream.scratch().tensor(1, longest, Type::I32).i32();
    for (int32_t far = 0; far < longest; ++far) {
      near_[far] = bucket_of(far, count_, op.furthest);
    }
  }

  int64_t count() const { return count_; }
  int64_t of(int64_t distance) const {
    return near_[std::abs(distance)] + (distance > 0 ? count_ / 2 : 0);
  }

 private:
  int64_t count_;
  int32_t* near_ = nullptr;
};

struct HeadOfText {
  int64_t tokens, head;
};

// Floats that the distances of a text take.
template <class Op>
int64_t distances_size(const Op& op, int64_t tokens) {
  return op.slopes.empty() && op.bias.empty() ? 0 : 2 * (tokens + kBeyond);
}

// What is added to the scores of a head by distance from key to query, in room for distances_size
// floats; null where nothing is.
template <class Op>
const float* distances_in(float* room, const Op& op, const Buckets& buckets, HeadOfText at) {
  if (distances_size(op, at.tokens) == 0) return nullptr;
  const int64_t furthest = at.tokens - 1;
  const float slope = op.slopes.empty() ? 0.0f : op.slopes.f32()[at.head];
  float* centre = room + furthest + kBeyond;
  std::fill_n(room, kBeyond, 0.0f);
  std::fill_n(centre + at.tokens, kBeyond, 0.0f);
  for (int64_t d = -furthest; d <= furthest; ++d) {
    const float bias = op.bias.empty() ? 0.0f : op.bias.f32()[buckets.of(d) * op.heads + at.head];
    centre[d] = bias - slope * float(std::abs(d));
  }
  return centre;
}

}  // namespace inbatch::cpu
