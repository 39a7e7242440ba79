// AdamW over 8-bit moments. Contract: ops/optimize8.h.
//
// A block is decoded into floats, goes through AdamW's kernel and is encoded again, so both round
// alike. A code is found in two reads: the leading bits of a magnitude say between which two levels
// it lies, since no cell of 7 bits of mantissa holds more than one border.
#include "../ops/optimize8.h"

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "../ops/run.h"
#include "kernels.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kBlock = AdamW8::block;
constexpr int64_t kItem = 256 * kBlock;  // elements that a thread takes at a time
constexpr int kDecades = 7;
constexpr int kCellShift = 16;             // leaves the exponent and 7 bits of mantissa
constexpr uint32_t kFirstCell = 104 << 7;  // of 2^-23, below the first border of both maps
constexpr uint32_t kCells = (23 << 7) + 1;

uint32_t cell_of(float magnitude) {
  uint32_t bits;
  std::memcpy(&bits, &magnitude, 4);
  return bits >> kCellShift;
}

// The magnitudes of a map, from 0 to 1, and the way back.
class Levels {
 public:
  explicit Levels(int parts_of_first) {
    levels_.push_back(0);
    for (int decade = 0; decade < kDecades; ++decade) {
      const int parts = parts_of_first << decade;
      const double unit = std::pow(10.0, decade - kDecades + 1);
      for (int part = 0; part < parts; ++part) {
        levels_.push_back(float(unit * (0.1 + 0.9 * (part + 0.5) / parts)));
      }
    }
    levels_.push_back(1);
    for (size_t n = 1; n < levels_.size(); ++n) {
      borders_.push_back(float((double(levels_[n - 1]) + levels_[n]) / 2));
    }
    borders_.push_back(std::numeric_limits<float>::infinity());
    for (uint32_t cell = 0; cell < kCells; ++cell) start_[cell] = uint8_t(level_from(cell));
  }

  float at(int level) const { return levels_[size_t(level)]; }

  // The nearest level of a magnitude; of two the lower one.
  int nearest(float magnitude) const {
    if (!(magnitude < 1)) return int(levels_.size()) - 1;
    const uint32_t cell = cell_of(magnitude);
    if (cell < kFirstCell) return 0;
    const int start = start_[cell - kFirstCell];
    return start + (magnitude > borders_[size_t(start)]);
  }

 private:
  // Of the least magnitude in a cell.
  int level_from(uint32_t cell) const {
    const uint32_t bits = (cell + kFirstCell) << kCellShift;
    float least;
    std::memcpy(&least, &bits, 4);
    return int(std::lower_bound(borders_.begin(), borders_.end(), least) - borders_.begin());
  }

  std::vector<float> levels_, borders_;
  std::array<uint8_t, kCells> start_{};
};

// The signed map: 127 levels below zero, 128 above.
struct SignedMap {
  static constexpr int kZero = 127;
  Levels levels{1};
  std::array<float, 256> values;

  SignedMap() {
    for (int code = 0; code < 256; ++code) {
      const int level = code - kZero;
      values[size_t(code)] = level < 0 ? -levels.at(-level) : levels.at(level);
    }
  }
  uint8_t code_of(float x) const {
    const int level = levels.nearest(std::fabs(x));
    return uint8_t(std::signbit(x) ? kZero - std::min(level, kZero) : kZero + level);
  }
};

struct UnsignedMap {
  Levels levels{2};
  std::array<float, 256> values;

  UnsignedMap() {
    for (int code = 0; code < 256; ++code) values[size_t(code)] = levels.at(code);
  }
  uint8_t code_of(float x) const { return uint8_t(levels.nearest(x)); }
};

template <class Map>
void decode(const Map& map, const uint8_t* codes, float scale, float* out, int64_t size) {
  for (int64_t i = 0; i < size; ++i) out[i] = map.values[codes[i]] * scale;
}

// Returns the scale.
template <class Map>
float encode(const Map& map, const float* x, uint8_t* codes, int64_t size) {
  float scale = 0;
  for (int64_t i = 0; i < size; ++i) scale = std::max(scale, std::fabs(x[i]));
  scale = std::min(scale, FLT_MAX);
  for (int64_t i = 0; i < size; ++i) codes[i] = map.code_of(scale > 0 ? x[i] / scale : 0.0f);
  return scale;
}

}  // namespace

template <>
void run<AdamW8>(const Stream& stream, const AdamW8& op) {
  static const SignedMap signed_map;
  static const UnsignedMap unsigned_map;
  const int64_t size = op.weight.size();
  const AdamRates rates = adam_rates_of(op);
  stream.parallel_for((size + kItem - 1) / kItem, [&](int64_t item, int) {
    float first[kBlock], second[kBlock];
    for (int64_t at = item * kItem; at < std::min(size, (item + 1) * kItem); at += kBlock) {
      const int64_t block = at / kBlock, count = std::min(kBlock, size - at);
      uint8_t *m = op.first.as<uint8_t>() + at, *v = op.second.as<uint8_t>() + at;
      float *m_scale = op.first_scale.f32() + block, *v_scale = op.second_scale.f32() + block;
      decode(signed_map, m, *m_scale, first, count);
      decode(unsigned_map, v, *v_scale, second, count);
      AdamStep part{rates};
      part.weight = op.weight.f32() + at;
      part.gradient = op.gradient.f32() + at;
      part.first = first;
      part.second = second;
      part.size = count;
      kernels().adamw(part);
      *m_scale = encode(signed_map, first, m, count);
      *v_scale = encode(unsigned_map, second, v, count);
    }
  });
}

}  // namespace inbatch::cpu
