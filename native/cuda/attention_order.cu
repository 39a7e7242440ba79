// In which order a card begins texts. Contract: ops/attention_order.h.
//
// Grid (N / 256), 256 threads: a thread has a text and counts the runs that come before its own by
// looking at all texts, which neighbours read together. N^2 steps in all, once for a batch,
// limited by latency.
#include "../ops/attention_order.h"

#include "launch.cuh"

namespace inbatch::cuda {
namespace {

constexpr int kOrderThreads = 256;

__global__ void __launch_bounds__(kOrderThreads)
    order_runs(const int32_t* __restrict__ offsets, int texts, int32_t* __restrict__ order,
               int most) {
  constexpr int kRun = AttentionOrder::kRun;
  const int text = int(blockIdx.x) * kOrderThreads + int(threadIdx.x);
  const int tokens = text < texts ? offsets[text + 1] - offsets[text] : 0;
  int before = 0, all = 0, end = offsets[0];
#pragma unroll 4
  for (int other = 0; other < texts; ++other) {
    const int begin = end;
    end = offsets[other + 1];
    const int others = end - begin, runs = (others + kRun - 1) / kRun;
    all += runs;
    if (others > tokens || (others == tokens && other < text)) before += runs;
  }
  if (text < texts) {
    for (int run = (tokens + kRun - 1) / kRun; run-- > 0; ++before) {
      order[before] = text;
      order[most + before] = run * kRun;
    }
  }
  for (int i = all + text; i < most; i += int(gridDim.x) * kOrderThreads) {
    order[i] = order[most + i] = -1;
  }
}

}  // namespace

template <>
void run<AttentionOrder>(const Stream& stream, const AttentionOrder& op) {
  const int64_t texts = op.offsets.size() - 1;
  launch(stream, {dim3(blocks_of(texts, kOrderThreads)), dim3(kOrderThreads)}, order_runs,
         op.offsets.i32(), int(texts), op.order.i32(), int(op.order.cols));
}

}  // namespace inbatch::cuda
