// Numbers that lie on a card and are found wrong there: what was wrong is told by the next wait.
#pragma once

#include "launch.cuh"

namespace inbatch::cuda {

// The first wrong number since the last wait. In memory of the card.
struct Fault {
  int32_t check, value;  // which check found it, from 1; 0: none
  int64_t place, limit;
};

// Where a check leaves what it finds, and the check's number; wait() names op and field.
struct Check {
  Fault* fault;
  int32_t number;
};
Check check_of(const Stream& stream, const char* op, const char* field);

constexpr int kFaultThreads = 256;

struct FaultShared {
  int64_t first[kFaultThreads];
};

// One block; a thread looks at every 256th number.
template <class Index>
__global__ void __launch_bounds__(kFaultThreads)
    find_fault(Check check, const Index* indices, int64_t size, int64_t limit) {
  auto& first = shared_memory<FaultShared>().first;
  int64_t own = size;
  for (int64_t i = threadIdx.x; i < size && own == size; i += kFaultThreads) {
    if (indices[i] < 0 || indices[i] >= limit) own = i;
  }
  first[threadIdx.x] = own;
  __syncthreads();  // first of each thread written -> read by one
  if (threadIdx.x > 0 || check.fault->check > 0) return;
  for (int thread = 1; thread < kFaultThreads; ++thread) own = min(own, first[thread]);
  if (own < size) *check.fault = {check.number, indices[own], own, limit};
}

// OP_INVALID at the next wait if one of the indices is not in [0, limit); kernels pass such over.
inline void expect_within(const Stream& stream, const char* op, const char* field,
                          const Tensor& indices, int64_t limit) {
  if (indices.size() == 0) return;
  launch(stream, {dim3(1), dim3(kFaultThreads), sizeof(FaultShared)}, find_fault<int32_t>,
         check_of(stream, op, field), indices.i32(), indices.size(), limit);
}

}  // namespace inbatch::cuda
