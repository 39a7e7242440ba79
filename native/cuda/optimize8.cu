// AdamW over 8-bit moments. Contract: ops/optimize8.h.
//
// A warp has a block of 256 elements, a lane eight of them, which stay in registers while the
// largest of the block is found. The maps come as parameters of the launch and lie in shared
// memory, where lanes may read at different places. Within a decade their levels are evenly spaced:
// a code is guessed by arithmetic and moved until it lies between its borders, which decide alone.
// Limited by memory: four streams of four bytes, four of one.
#include "../ops/optimize8.h"

#include <cfloat>
#include <cmath>

#include "adam.cuh"
#include "rows.cuh"

namespace inbatch::cuda {
namespace {

constexpr int kDecades = 7;
constexpr int kLaneElements = int(AdamW8::block) / 32;
// Blocks that a warp takes, so that the maps are read once for all of them.
constexpr int kBlocksOfWarp = 4;

// The magnitudes of a map, from 0 to 1.
template <int count>
struct Levels {
  float values[count];
};

// parts_of_first: of the lowest decade; each further one has twice as many.
template <int count>
Levels<count> levels_of(int parts_of_first) {
  Levels<count> levels{};
  int n = 0;
  levels.values[n++] = 0;
  for (int decade = 0; decade < kDecades; ++decade) {
    const int parts = parts_of_first << decade;
    const double unit = std::pow(10.0, decade - kDecades + 1);
    for (int part = 0; part < parts; ++part) {
      levels.values[n++] = float(unit * (0.1 + 0.9 * (part + 0.5) / parts));
    }
  }
  levels.values[n] = 1;
  return levels;
}

// 127 levels below zero and 128 above, or 255 above.
constexpr int kZeroCode = 127;
constexpr int kSignedLevels = 129, kUnsignedLevels = 256;

struct Maps {
  Levels<kSignedLevels> of_first = levels_of<kSignedLevels>(1);
  Levels<kUnsignedLevels> of_second = levels_of<kUnsignedLevels>(2);
};

struct SharedMaps {
  float first[kSignedLevels], first_borders[kSignedLevels];
  float second[kUnsignedLevels], second_borders[kUnsignedLevels];
};

// The border between a level and the next; none is beyond the last.
template <int count>
DEVICE float border_of(const Levels<count>& levels, int n) {
  if (n + 1 == count) return __uint_as_float(0x7f800000u);
  return float((double(levels.values[n]) + double(levels.values[n + 1])) / 2);
}

// The nearest level of a magnitude, of two the lower one.
template <int count, int parts_of_first>
DEVICE int nearest(const float* borders, float magnitude) {
  if (!(magnitude < 1.0f)) return count - 1;
  const int decade = (magnitude >= 1e-6f) + (magnitude >= 1e-5f) + (magnitude >= 1e-4f) +
                     (magnitude >= 1e-3f) + (magnitude >= 1e-2f) + (magnitude >= 1e-1f);
  constexpr float units[kDecades] = {1e6f, 1e5f, 1e4f, 1e3f, 1e2f, 1e1f, 1e0f};
  float unit = units[0];
#pragma unroll
  for (int n = 1; n < kDecades; ++n) unit = decade == n ? units[n] : unit;
  const int parts = parts_of_first << decade;
  const float place = (magnitude * unit - 0.1f) * (float(parts) / 0.9f);
  int level = 1 + parts - parts_of_first + int(place < 0.0f ? 0.0f : place);
  level = level < count - 1 ? level : count - 1;
  while (magnitude > borders[level]) ++level;
  while (level > 0 && !(magnitude > borders[level - 1])) --level;
  return level;
}

DEVICE uint8_t signed_code(const SharedMaps& maps, float x) {
  const int level = nearest<kSignedLevels, 1>(maps.first_borders, fabsf(x));
  const bool is_negative = __float_as_uint(x) >> 31;
  return uint8_t(is_negative ? kZeroCode - min(level, kZeroCode) : kZeroCode + level);
}

DEVICE float signed_value(const SharedMaps& maps, int code) {
  return code < kZeroCode ? -maps.first[kZeroCode - code] : maps.first[code - kZeroCode];
}

// The scale of a block whose largest magnitude in this lane is `largest`.
DEVICE float scale_of(float largest) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    const float other = __shfl_xor_sync(all_lanes, largest, distance);
    largest = largest < other ? other : largest;
  }
  return largest < FLT_MAX ? largest : FLT_MAX;
}

struct Moments8 {
  AdamRates rates;
  float* weight;
  const float* gradient;
  uint8_t *first, *second;
  float *first_scale, *second_scale;
  int64_t size;
};

DEVICE void step_block(const Moments8& op, const SharedMaps& maps, int64_t block) {
  const int64_t begin = block * AdamW8::block + threadIdx.x % 32;
  Adam elements[kLaneElements];
  const float first_scale = op.first_scale[block], second_scale = op.second_scale[block];
  float first = 0, second = 0;  // the largest magnitudes; what is no number counts for nothing
#pragma unroll
  for (int n = 0; n < kLaneElements; ++n) {
    const int64_t i = begin + 32 * n;
    if (i >= op.size) continue;
    Adam& element = elements[n];
    element = {op.weight[i], op.gradient[i], signed_value(maps, op.first[i]) * first_scale,
               maps.second[op.second[i]] * second_scale};
    element.step(op.rates);
    op.weight[i] = element.weight;
    const float magnitude = fabsf(element.first);
    first = first < magnitude ? magnitude : first;
    second = second < element.second ? element.second : second;
  }
  first = scale_of(first);
  second = scale_of(second);
#pragma unroll
  for (int n = 0; n < kLaneElements; ++n) {
    const int64_t i = begin + 32 * n;
    if (i >= op.size) continue;
    op.first[i] = signed_code(maps, first > 0.0f ? elements[n].first / first : 0.0f);
    const float share = second > 0.0f ? elements[n].second / second : 0.0f;
    op.second[i] = uint8_t(nearest<kUnsignedLevels, 2>(maps.second_borders, share));
  }
  __syncwarp();  // the scales: read by all lanes above, written by one below
  if (threadIdx.x % 32 != 0) return;
  op.first_scale[block] = first;
  op.second_scale[block] = second;
}

// Grid (blocks of 256 elements / 32), 256 threads: a warp has four such blocks.
__global__ void __launch_bounds__(kRowThreads) adamw8(Maps given, Moments8 op, int64_t blocks) {
  auto& maps = shared_memory<SharedMaps>();
  for (int n = threadIdx.x; n < kUnsignedLevels; n += kRowThreads) {
    maps.second[n] = given.of_second.values[n];
    maps.second_borders[n] = border_of(given.of_second, n);
    if (n >= kSignedLevels) continue;
    maps.first[n] = given.of_first.values[n];
    maps.first_borders[n] = border_of(given.of_first, n);
  }
  __syncthreads();  // the maps: written above, read below
  const int64_t first = (int64_t(blockIdx.x) * kRowsEach + threadIdx.x / 32) * kBlocksOfWarp;
  for (int64_t block = first; block < first + kBlocksOfWarp && block < blocks; ++block) {
    step_block(op, maps, block);
  }
}

}  // namespace

template <>
void run<AdamW8>(const Stream& stream, const AdamW8& op) {
  static const Maps maps;
  const int64_t blocks = (op.weight.size() + AdamW8::block - 1) / AdamW8::block;
  const Moments8 moments{adam_rates_of(op),      op.weight.f32(),         op.gradient.f32(),
                         op.first.as<uint8_t>(), op.second.as<uint8_t>(), op.first_scale.f32(),
                         op.second_scale.f32(),  op.weight.size()};
  launch(
      stream,
      {dim3(blocks_of(blocks, kRowsEach * kBlocksOfWarp)), dim3(kRowThreads), sizeof(SharedMaps)},
      adamw8, maps, moments, blocks);
}

}  // namespace inbatch::cuda
