// The way around a ring of stages that the copy engine fills and warps read, and the turns that two
// groups of a block take.
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

// Two groups of 128 threads. An end() lets the other group's next begin() pass; no other turn does.
struct GroupTurns {
  int index;

  DEVICE void begin() const {
    if (index == 0) {
      named_barrier_sync<1>(256);
    } else {
      named_barrier_sync<2>(256);
    }
  }
  DEVICE void end() const {
    if (index == 0) {
      named_barrier_arrive<2>(256);
    } else {
      named_barrier_arrive<1>(256);
    }
  }
};

}  // namespace inbatch::cuda
