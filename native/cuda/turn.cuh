// The way around a ring of stages that the copy engine fills and warps read.
#pragma once

#include "device.cuh"

namespace inbatch::cuda {

// Which stage a step uses, and the parity of its barriers: how often the ring has been around.
template <int stages>
struct Turn {
  int stage = 0;
  uint32_t parity = 0;

  DEVICE void advance() {
    if (++stage < stages) return;
    stage = 0;
    parity ^= 1;
  }
};

}  // namespace inbatch::cuda
