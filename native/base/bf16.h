// The 16-bit brain float as host, card and emulator see it: two bytes, rounded to nearest even.
#pragma once

#include <cstdint>
#include <cstring>

#include "host_device.h"

namespace inbatch {

struct bf16 {
  uint16_t bits;

  bf16() = default;
  INBATCH_HOST_DEVICE explicit bf16(float x) {
#if defined(__CUDA_ARCH__)
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
#else
    uint32_t word;
    memcpy(&word, &x, 4);
    bits = x != x ? 0x7fff : uint16_t((word + 0x7fff + (word >> 16 & 1)) >> 16);
#endif
  }
  INBATCH_HOST_DEVICE explicit operator float() const {
    const uint32_t word = uint32_t(bits) << 16;
    float x;
    memcpy(&x, &word, 4);
    return x;
  }
};

// Two neighbours in one register; low is the one at the lower address.
INBATCH_HOST_DEVICE inline uint32_t pack(float low, float high) {
  return bf16(low).bits | uint32_t(bf16(high).bits) << 16;
}

}  // namespace inbatch
