// Kernels with one fault each, and one without: what the emulator says of them, a line a kernel.
#include <cstdio>

#include "../../native/base/bf16.h"
#include "../../native/cuda/device.cuh"

namespace {

constexpr int size = 64;

struct Shared {
  float row[size], other[size];
  Mbarrier barrier;
};

__device__ float reversed(Shared& shared) { return shared.row[size - 1 - threadIdx.x]; }

__global__ void clean(float* out, const float* in) {
  Shared& shared = shared_memory<Shared>();
  shared.row[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[blockIdx.x * size + threadIdx.x] = reversed(shared);
}
__global__ void barrier_missing(float* out, const float* in) {
  Shared& shared = shared_memory<Shared>();
  shared.row[threadIdx.x] = in[threadIdx.x];
  out[threadIdx.x] = reversed(shared);
}
__global__ void barrier_not_reached(float* out, const float* in) {
  if (threadIdx.x == 7) return;
  __syncthreads();
  out[threadIdx.x] = in[threadIdx.x];
}
__global__ void blocks_overlap(float* out, const float* in) { out[threadIdx.x] = in[threadIdx.x]; }
__global__ void shared_unwritten(float* out, const float*) {
  out[threadIdx.x] = shared_memory<Shared>().row[threadIdx.x];
}
__global__ void write_beyond(float* out, const float* in) {
  out[4 * size + threadIdx.x] = in[threadIdx.x];
}
__global__ void index_beyond(float* out, const float* in) {
  Shared& shared = shared_memory<Shared>();
  shared.row[threadIdx.x + 1] = in[threadIdx.x];
  out[threadIdx.x] = 0;
}
__global__ void misaligned(float* out, const float* in) {
  *reinterpret_cast<float4*>(out + 1) = *reinterpret_cast<const float4*>(in);
}
__global__ void lane_missing(float* out, const float* in) {
  if (threadIdx.x == 3) return;
  out[threadIdx.x] = __shfl_xor_sync(all_lanes, in[threadIdx.x], 1);
}
__global__ void copy_not_waited(float* out, const float* in) {
  Shared& shared = shared_memory<Shared>();
  if (threadIdx.x < 16) copy_async_16(shared.row + 4 * threadIdx.x, in + 4 * threadIdx.x);
  copy_async_commit();
  __syncthreads();
  out[threadIdx.x] = shared.row[threadIdx.x];
}
__global__ void wrong_parity(float* out, const float*) {
  Shared& shared = shared_memory<Shared>();
  if (threadIdx.x == 0) mbarrier_init(shared.barrier, size);
  mbarrier_init_fence();
  __syncthreads();
  mbarrier_arrive(shared.barrier);
  mbarrier_wait(shared.barrier, 0);
  mbarrier_wait(shared.barrier, 1);
  out[threadIdx.x] = 0;
}

struct alignas(1024) Lines {
  inbatch::bf16 at[8][64];
};
__global__ void sums_changed(float* out, const float*) {
  Lines& lines = shared_memory<Lines>();
  for (int i = int(threadIdx.x); i < 8 * 64; i += 2 * size) lines.at[i / 64][i % 64].bits = 0;
  fence_async_proxy();
  __syncthreads();
  const uint32_t a[4] = {};
  float sums[4] = {};
  for (int step = 0; step < 2; ++step) {
    wgmma_fence();
    wgmma<8>(sums, a, matrix_descriptor(&lines, 16, 1024), true);
    wgmma_commit();
    sums[1] *= 2;
  }
  wgmma_wait<0>();
  out[threadIdx.x] = sums[0];
}

void tell(const char* name, void (*kernel)(float*, const float*), int threads = size) {
  void *out = nullptr, *in = nullptr;
  cudaMalloc(&out, 4 * size * sizeof(float));
  cudaMalloc(&in, size * sizeof(float));
  cudaMemsetAsync(in, 0, size * sizeof(float), 0);
  launch({dim3(2), dim3(threads), sizeof(Lines), 0}, kernel, static_cast<float*>(out),
         static_cast<const float*>(in));
  const cudaError_t error = cudaStreamSynchronize(0);
  printf("%s: %s\n", name, cudaGetErrorString(error));
  cudaFree(out);
  cudaFree(in);
}

}  // namespace

int main() {
  tell("clean", clean);
  tell("barrier missing", barrier_missing);
  tell("barrier not reached", barrier_not_reached);
  tell("blocks overlap", blocks_overlap);
  tell("shared unwritten", shared_unwritten);
  tell("write beyond", write_beyond);
  tell("index beyond", index_beyond);
  tell("misaligned", misaligned);
  tell("lane missing", lane_missing);
  tell("copy not waited", copy_not_waited);
  tell("wrong parity", wrong_parity);
  tell("sums changed", sums_changed, 2 * size);
}
