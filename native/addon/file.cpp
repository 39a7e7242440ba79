// A weight file. See file.h.
#include "file.h"

#include <fcntl.h>
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

float from_bf16(uint16_t bits) {
  const uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

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
    to[i] = type == Type::BF16 ? from_bf16(bits) : from_f16(bits);
  }
}

}  // namespace

WeightFile::WeightFile(const std::string& path) : path_(path) {
  descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) {
    throw Error("FILE_UNREADABLE", path + ": expected to read it, got " + std::strerror(errno));
  }
}

WeightFile::~WeightFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

void WeightFile::read(uint64_t offset, Type type, float* out, int64_t count) const {
  const auto fill = [&](char* to, size_t bytes) {
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
    offset += bytes;
  };
  if (type == Type::F32) return fill(reinterpret_cast<char*>(out), size_t(count) * 4);
  constexpr int64_t kChunk = 1 << 18;
  std::vector<char> buffer(size_t(std::min(kChunk, count) * width_of(type)));
  for (int64_t at = 0; at < count; at += kChunk) {
    const int64_t n = std::min(kChunk, count - at);
    fill(buffer.data(), size_t(n * width_of(type)));
    widen(type, buffer.data(), out + at, n);
  }
}

void WeightFile::expect_finite(const std::string& tensor, const float* values,
                               int64_t count) const {
  const int64_t at = first_not_finite(values, count);
  if (at < 0) return;
  throw Error("MODEL_TENSOR", path_ + ": expected finite numbers in tensor \"" + tensor +
                                  "\", got " + (std::isnan(values[at]) ? "NaN" : "infinity") +
                                  " at element " + std::to_string(at) + "; the file is damaged");
}

int64_t first_not_finite(const float* values, int64_t count) {
  // The largest exponent of a block tells whether to look at its values one by one.
  constexpr int64_t kBlock = 1024;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t end = std::min(count, begin + kBlock);
    uint32_t largest = 0;
    for (int64_t i = begin; i < end; ++i) {
      uint32_t bits;
      std::memcpy(&bits, values + i, sizeof bits);
      largest = std::max(largest, bits & 0x7fffffffu);
    }
    if (largest < 0x7f800000u) continue;
    for (int64_t i = begin; i < end; ++i) {
      if (!std::isfinite(values[i])) return i;
    }
  }
  return -1;
}

uint64_t hash_of(const float* values, int64_t count) {
  uint64_t lanes[4] = {1, 2, 3, 4};
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    lanes[i & 3] = (lanes[i & 3] ^ bits) * 0x9e3779b97f4a7c15ull;
  }
  return mix64(mix64(lanes[0] ^ mix64(lanes[1])) ^ mix64(lanes[2] ^ mix64(lanes[3])));
}

std::string hex_of(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace inbatch
