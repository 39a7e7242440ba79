// The softmax of attention, a tile of 64 queries and 64 keys at a time, whose scores lie in
// registers as matrix cores leave them (attention_mma.cuh). Contract: ops/attention.h.
#pragma once

#include "attention_mma.cuh"

namespace inbatch::cuda {
namespace {

constexpr int kScores = kMmaRows / 2;  // of a thread

// Of a lane's two rows. Scores are in units of log 2.
struct MmaRunning {
  float largest[2] = {-INFINITY, -INFINITY}, sum[2] = {};
};

// Over the four lanes that share a row.
DEVICE float quad_max(float value) {
  value = fmaxf(value, __shfl_xor_sync(all_lanes, value, 2));
  return fmaxf(value, __shfl_xor_sync(all_lanes, value, 1));
}
DEVICE float quad_sum(float value) {
  value += __shfl_xor_sync(all_lanes, value, 2);
  return value + __shfl_xor_sync(all_lanes, value, 1);
}

// Turns products into scores; what a query does not see is minus infinity.
DEVICE void score_tile(float (&s)[kScores], const Distances<kMmaRows, kMmaRows>& distances,
                       const AttentionRules& rules, const TextTile& tile, int first) {
  const bool is_whole =
      first + kMmaRows <= tile.tokens && sees_all(rules, tile.first, kMmaRows, first, kMmaRows);
  const float scale = rules.scale * kLog2;
#pragma unroll
  for (int j = 0; j < kScores; ++j) {
    const int row = row_of_part(j % 4), column = column_of_part(j / 4, j % 4), key = first + column;
    s[j] = s[j] * scale + distances.at(rules, row, column);
    if (is_whole) continue;
    const bool is_seen = key < tile.tokens && rules.sees(tile.first + row, key);
    if (!is_seen) s[j] = -INFINITY;
  }
}

// Turns scores into weights; what was summed before comes to the new maximum times `shrink`. A row
// that has seen nothing yet stays at zero; a score that is no number makes its row none.
DEVICE void weigh_tile(float (&s)[kScores], MmaRunning& running, float (&shrink)[2],
                       const AttentionRules& rules, const uint32_t (&keys)[2], int first) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float largest = running.largest[half];
#pragma unroll
    for (int j = 2 * half; j < kScores; j += 4) largest = fmaxf(largest, fmaxf(s[j], s[j + 1]));
    largest = quad_max(largest);
    const float base = largest == -INFINITY ? 0.0f : largest;
    shrink[half] = exp2_fast(running.largest[half] - base);
    running.largest[half] = largest;
    running.sum[half] *= shrink[half];
#pragma unroll
    for (int j = 2 * half; j < kScores; j += 4) {
#pragma unroll
      for (int part = 0; part < 2; ++part) {
        const float weight = exp2_fast(s[j + part] - base);
        running.sum[half] += weight;
        s[j + part] = weight * rules.kept(keys[half], first + column_of_part(j / 4, part));
      }
    }
  }
}

template <int count>
DEVICE void scale_rows(float (&x)[count], const float (&factors)[2]) {
#pragma unroll
  for (int j = 0; j < count; ++j) x[j] *= factors[j % 4 / 2];
}

// What the sums of values are multiplied by; writes lse where it is asked for.
DEVICE void end_softmax(const MmaRunning& running, float (&factors)[2], const AttentionRules& rules,
                        const TextTile& tile, int head, float* lse) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float sum = quad_sum(running.sum[half]);
    const int row = row_of_part(2 * half);
    factors[half] = 1.0f / sum;
    if (lse && row < tile.rows(kMmaRows) && threadIdx.x % 4 == 0) {
      lse[(tile.row() + row) * rules.heads + head] = running.largest[half] * kLn2 + logf(sum);
    }
  }
}

}  // namespace
}  // namespace inbatch::cuda
