// Random numbers without state: every bit is a function of its coordinates, so any pass over the
// network can be repeated exactly, in any order, on any device.
//
// row_key mixes (seed, step, text, site, row) once per row; random_bits then needs a few integer
// operations per element. The mixing steps are the finalizers of SplitMix64 and of a 32-bit
// multiply-xorshift hash.
#pragma once

#include <cstdint>

#include "host_device.h"

namespace inbatch {

INBATCH_HOST_DEVICE inline uint64_t mix64(uint64_t z) {
  z += 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

// What one training step adds to the coordinates of a random number.
struct RandomKey {
  uint32_t seed = 0, step = 0;
};

// The key of one row of one site of one text.
INBATCH_HOST_DEVICE inline uint32_t row_key(RandomKey key, uint32_t text, uint32_t site,
                                            uint32_t row) {
  const uint64_t where = mix64((uint64_t(text) << 32) | row);
  const uint64_t when = mix64((uint64_t(key.seed) << 32) | key.step);
  return uint32_t(mix64(where ^ (when + 0x632be59bd9b4e019ull * site)) >> 32);
}

// 32 random bits of column `column` of a row.
INBATCH_HOST_DEVICE inline uint32_t random_bits(uint32_t key, uint32_t column) {
  uint32_t h = key + column * 0x9e3779b9u;
  h = (h ^ (h >> 16)) * 0x7feb352du;
  h = (h ^ (h >> 15)) * 0x846ca68bu;
  return h ^ (h >> 16);
}

// An element survives a dropout of probability p when its bits reach this threshold.
INBATCH_HOST_DEVICE inline uint32_t dropout_threshold(float p) {
  return uint32_t(double(p) * 4294967296.0);
}

}  // namespace inbatch
