// Sorted lists of the best hits of a search, kept by a warp each. Which hits are best is a total
// order (score falling, id rising), so what a list holds in the end does not depend on the order in
// which hits come.
#pragma once

#include "launch.cuh"

namespace inbatch::cuda {

// A place that nothing holds has the score -infinity and the id -1.
struct alignas(8) Hit {
  float score;
  int32_t id;
};

constexpr int kFresh = 128;  // hits that are merged into a list at a time

DEVICE Hit no_hit() { return {-INFINITY, -1}; }

// What is no number is better than nothing, and neither is -infinity.
DEVICE bool is_better(const Hit& a, const Hit& b) {
  return a.score > b.score || (a.score == b.score && a.id < b.id);
}

// How many of a sorted list are better than a hit.
DEVICE int64_t count_better(const Hit* sorted, int64_t count, const Hit& hit) {
  int64_t first = 0, last = count;
  while (first < last) {
    const int64_t middle = (first + last) / 2;
    if (is_better(sorted[middle], hit)) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  return first;
}

// Shared memory of a warp that merges.
struct Merging {
  Hit fresh[kFresh], sorted[kFresh];
};

// to = the best of a sorted list and of `count` fresh hits in any order; both lists have `depth`
// places. The lanes of a warp come together. A hit's place is its own rank and that in the other
// list.
DEVICE void merge_hits(Merging& shared, Hit* to, const Hit* list, int64_t depth, int count) {
  const int lane = int(threadIdx.x) % 32;
  __syncwarp();  // fresh hits written -> compared by all lanes
  for (int i = lane; i < count; i += 32) {
    const Hit hit = shared.fresh[i];
    int rank = 0;
    for (int other = 0; other < count; ++other) rank += is_better(shared.fresh[other], hit);
    shared.sorted[rank] = hit;
  }
  __syncwarp();  // sorted hits written -> searched by all lanes
  for (int i = lane; i < count; i += 32) {
    const Hit hit = shared.sorted[i];
    const int64_t place = i + count_better(list, depth, hit);
    if (place < depth) to[place] = hit;
  }
  for (int64_t i = lane; i < depth; i += 32) {
    const Hit hit = list[i];
    const int64_t place = i + count_better(shared.sorted, count, hit);
    if (place < depth) to[place] = hit;
  }
  __syncwarp();  // list and sorted hits read, the merged list written -> overwritten, read
}

}  // namespace inbatch::cuda
