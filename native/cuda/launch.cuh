// What a launcher needs: its stream's queue, launches with their extents, and the name under which
// the kernel of an op is found.
#pragma once

#include "../ops/op.h"
#include "device.cuh"

namespace inbatch::cuda {

// A .cu specialises it for each op of its group.
template <class Op>
void run(const Stream& stream, const Op& op);

cudaStream_t queue_of(const Stream& stream);

// Blocks, threads of a block, and bytes of its shared memory.
struct Extent {
  dim3 blocks, threads;
  size_t shared = 0;
};

// A grid of no blocks is no work; its kernel is not launched.
template <class... Parameters, class... Arguments>
void launch(const Stream& stream, const Extent& extent, void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  if (extent.blocks.x == 0 || extent.blocks.y == 0 || extent.blocks.z == 0) return;
  ::launch({extent.blocks, extent.threads, extent.shared, queue_of(stream)}, kernel, arguments...);
}

// Blocks that cover `size` at `each` of them; beyond what a grid holds, a refusal.
inline unsigned blocks_of(int64_t size, int64_t each) {
  const int64_t blocks = (size + each - 1) / each;
  expect(blocks <= 0x7fffffff, "launch",
         "expected at most 2147483647 blocks, got " + std::to_string(blocks));
  return unsigned(blocks);
}

}  // namespace inbatch::cuda
