// Work on every element by itself, whatever the shape.
#pragma once

#include "launch.cuh"

namespace inbatch::cuda {

constexpr int kElementThreads = 256;
// Reads in flight of a thread. They lie a block apart, so that a warp reads neighbours and no start
// need be aligned.
constexpr int kElementsEach = 4;

// Grid (size / 1024), 256 threads: a thread calls body(i) for four elements. Limited by memory.
template <class Body>
__global__ void __launch_bounds__(kElementThreads) each_element(Body body, int64_t size) {
  const int64_t first = int64_t(blockIdx.x) * kElementThreads * kElementsEach + threadIdx.x;
#pragma unroll
  for (int step = 0; step < kElementsEach; ++step) {
    const int64_t i = first + step * kElementThreads;
    if (i < size) body(i);
  }
}

template <class Body>
void over_elements(const Stream& stream, int64_t size, const Body& body) {
  const unsigned blocks = blocks_of(size, int64_t(kElementThreads) * kElementsEach);
  launch(stream, {dim3(blocks), dim3(kElementThreads)}, each_element<Body>, body, size);
}

}  // namespace inbatch::cuda
