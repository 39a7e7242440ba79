// A weight file. See file.h.
#include "file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "../base/error.h"
#include "../base/random.h"

namespace inbatch {
namespace {

float from_f16(uint16_t bits) {
  const uint32_t sign = uint32_t(bits & 0x8000) << 16;
  const uint32_t exponent = (bits >> 10) & 31, fraction = bits & 1023;
  uint32_t wide;
  float value;
  if (exponent == 0) {
    value = float(fraction) * 5.9604644775390625e-8f;  // 2^-24: subnormal, exact in f32
    std::memcpy(&wide, &value, sizeof wide);
    wide |= sign;
  } else {
    wide = sign | ((exponent == 31 ? 255 : exponent + 112) << 23) | (fraction << 13);
  }
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

void widen(Type type, const char* from, float* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    if (type == Type::F64) {
      double value;
      std::memcpy(&value, from + i * 8, 8);
      to[i] = float(value);
      continue;
    }
    uint16_t bits;
    std::memcpy(&bits, from + i * 2, 2);
    bf16 half;
    half.bits = bits;
    to[i] = type == Type::BF16 ? float(half) : from_f16(bits);
  }
}

uint32_t bits_of(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

uint32_t bits_of(bf16 value) { return uint32_t(value.bits) << 16; }

template <class T>
int64_t find_not_finite(const T* values, int64_t count) {
  // The largest exponent of a block tells whether to look at its values one by one.
  constexpr int64_t kBlock = 1024;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t end = std::min(count, begin + kBlock);
    uint32_t largest = 0;
    for (int64_t i = begin; i < end; ++i) {
      largest = std::max(largest, bits_of(values[i]) & 0x7fffffffu);
    }
    if (largest < 0x7f800000u) continue;
    for (int64_t i = begin; i < end; ++i) {
      if (!std::isfinite(float(values[i]))) return i;
    }
  }
  return -1;
}

// What is said of the element at a place.
Error not_finite(const std::string& path, const std::string& tensor, float value, int64_t at) {
  return Error("MODEL_TENSOR", path + ": expected finite numbers in tensor \"" + tensor +
                                   "\", got " + (std::isnan(value) ? "NaN" : "infinity") +
                                   " at element " + std::to_string(at) + "; the file is damaged");
}

}  // namespace

WeightFile::WeightFile(const std::string& path) : path_(path) {
  descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) {
    throw Error("FILE_UNREADABLE", path + ": expected to read it, got " + std::strerror(errno));
  }
  opened_ = version();
}

WeightFile::~WeightFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

void WeightFile::read(uint64_t offset, Type type, float* out, int64_t count) const {
  if (type == Type::F32) return read(offset, out, size_t(count) * 4);
  constexpr int64_t kChunk = 1 << 18;
  const int64_t width = width_of(type);
  std::vector<char> buffer(size_t(std::min(kChunk, count) * width));
  for (int64_t at = 0; at < count; at += kChunk) {
    const int64_t n = std::min(kChunk, count - at);
    read(offset + uint64_t(at * width), buffer.data(), size_t(n * width));
    widen(type, buffer.data(), out + at, n);
  }
}

void WeightFile::read(uint64_t offset, void* out, size_t bytes) const {
  char* to = static_cast<char*>(out);
  for (size_t done = 0; done < bytes;) {
    const ssize_t n = pread(descriptor_, to + done, bytes - done, off_t(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      throw Error("SAFETENSORS_INVALID", path_ + ": expected " + std::to_string(bytes) +
                                             " bytes at " + std::to_string(offset) + ", got " +
                                             std::to_string(done));
    }
    done += size_t(n);
  }
}

void WeightFile::expect_finite(const std::string& tensor, const float* values, int64_t count,
                               int64_t first) const {
  const int64_t at = find_not_finite(values, count);
  if (at >= 0) throw not_finite(path_, tensor, values[at], first + at);
}

void WeightFile::expect_finite(const std::string& tensor, const bf16* values, int64_t count,
                               int64_t first) const {
  const int64_t at = find_not_finite(values, count);
  if (at >= 0) throw not_finite(path_, tensor, float(values[at]), first + at);
}

WeightFile::Version WeightFile::version() const {
  struct stat found {};
  if (fstat(descriptor_, &found) != 0) {
    throw Error("FILE_UNREADABLE", path_ + ": expected to read it, got " + std::strerror(errno));
  }
  return {int64_t(found.st_size), int64_t(found.st_mtim.tv_sec), int64_t(found.st_mtim.tv_nsec)};
}

void WeightFile::expect_unchanged() const {
  if (version() == opened_) return;
  throw Error("MODEL_TENSOR", path_ + ": expected the file that the model was loaded from, got " +
                                  "one that was written to since; load the model again");
}

int64_t first_not_finite(const float* values, int64_t count) {
  return find_not_finite(values, count);
}

template <class T>
void ValueHash::add_all(const T* values, int64_t count) {
  uint64_t lanes[4];
  std::copy(lanes_, lanes_ + 4, lanes);
  for (int64_t i = 0; i < count; ++i) {
    uint64_t& lane = lanes[(count_ + i) & 3];
    lane = (lane ^ bits_of(values[i])) * 0x9e3779b97f4a7c15ull;
  }
  std::copy(lanes, lanes + 4, lanes_);
  count_ += count;
}

void ValueHash::add(const float* values, int64_t count) { add_all(values, count); }
void ValueHash::add(const bf16* values, int64_t count) { add_all(values, count); }

uint64_t ValueHash::value() const {
  const uint64_t* lanes = lanes_;
  return mix64(mix64(lanes[0] ^ mix64(lanes[1])) ^ mix64(lanes[2] ^ mix64(lanes[3])));
}

uint64_t hash_of(const float* values, int64_t count) {
  ValueHash hash;
  hash.add(values, count);
  return hash.value();
}

std::string hex_of(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace inbatch
