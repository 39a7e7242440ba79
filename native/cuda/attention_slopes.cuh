// What backward makes of a score that matrix cores have computed again. Contract: ops/attention.h.
#pragma once

#include "attention_mma.cuh"

namespace inbatch::cuda {
namespace {

// Of the rows that a tile of 64 meets: with wide heads the sums fill the registers.
template <int D>
constexpr int kMet = D <= 64 ? 64 : 32;

// Of a text's query, in units of log 2; behind its last all is zero.
DEVICE QueryRow query_row(const AttentionRules& rules, const Gradients<bf16>& given,
                          const TextTile& text, int head, int query) {
  if (query >= text.tokens) return {0.0f, 0.0f, 0};
  const int64_t at = (int64_t(text.begin) + query) * rules.heads + head;
  return {given.lse[at] * kLog2, given.delta[at], rules.key_of(text.text, head, query)};
}

struct MmaWeight {
  float kept, slope;  // after dropout; the gradient of the score
};

// `product`, `dp`: q . k and dout . v; `added`: by distance.
DEVICE MmaWeight weight_of(const AttentionRules& rules, const QueryRow& query, int key,
                           float product, float added, float dp) {
  const float weight = exp2_fast(product * (rules.scale * kLog2) + added - query.lse);
  const float kept = rules.kept(query.key, key);
  return {weight * kept, weight * (dp * kept - query.delta)};
}

}  // namespace
}  // namespace inbatch::cuda
