// The language of kernels on the card: every PTX instruction the code base uses, under the names of
// test/emulator/device.h. Nothing else in the code base contains assembly.
//
// Hopper's instructions exist for sm_90a only. Elsewhere they trap, so that a kernel needs no
// branch on the architecture: its launcher asks device_capability() and does not launch it.
#pragma once
#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "../base/bf16.h"
#include "runtime.cuh"

#define DEVICE __device__ __forceinline__
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define HOPPER(...) __VA_ARGS__
#else
#define HOPPER(...) __trap()
#endif

// The block.

template <class T>
DEVICE T& shared_memory() {
  extern __shared__ __align__(1024) unsigned char dynamic[];
  return *reinterpret_cast<T*>(dynamic);
}
DEVICE uint32_t shared_address(const void* pointer) {
  return uint32_t(__cvta_generic_to_shared(pointer));
}

template <int id>
DEVICE void named_barrier_sync(int threads) {
  asm volatile("bar.sync %0, %1;" ::"n"(id), "r"(threads) : "memory");
}
template <int id>
DEVICE void named_barrier_arrive(int threads) {
  asm volatile("bar.arrive %0, %1;" ::"n"(id), "r"(threads) : "memory");
}

// The warp.

constexpr uint32_t all_lanes = 0xffffffff;

DEVICE int lane_id() {
  return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32;
}

// Loads `count` 8x8 matrices of 16-bit elements; lane 8m + r gives the address of row r of matrix
// m.
template <int count, bool transposed = false>
DEVICE void load_matrices(uint32_t (&out)[count], const void* row) {
  static_assert(count == 2 || count == 4);
  const uint32_t at = shared_address(row);
  if constexpr (count == 4 && !transposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(at)
                 : "memory");
  if constexpr (count == 4 && transposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(at)
                 : "memory");
  if constexpr (count == 2 && !transposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(out[0]), "=r"(out[1])
                 : "r"(at)
                 : "memory");
  if constexpr (count == 2 && transposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(out[0]), "=r"(out[1])
                 : "r"(at)
                 : "memory");
}

// d += a b: d 16x8 f32, a 16x16 bf16 by rows, b 16x8 bf16 by columns.
DEVICE void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Copies beside the threads.

// 16 bytes to shared memory; what lies beyond `bytes` is set to zero and not read.
DEVICE void copy_async_16(void* shared, const void* global, int bytes = 16) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
               "l"(global), "r"(bytes)
               : "memory");
}
DEVICE void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int groups_left>
DEVICE void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(groups_left) : "memory");
}

struct Mbarrier {
  uint64_t word;
};
DEVICE void mbarrier_init(Mbarrier& barrier, int count) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(shared_address(&barrier)), "r"(count)
               : "memory");
}
DEVICE void mbarrier_init_fence() {
  HOPPER(asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"));
}
DEVICE void mbarrier_arrive(Mbarrier& barrier) {
  HOPPER(asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(&barrier))
                      : "memory"));
}
DEVICE void mbarrier_arrive_expect(Mbarrier& barrier, uint32_t bytes) {
  HOPPER(asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(&barrier)),
      "r"(bytes)
      : "memory"));
}
// Returns once the phase of this parity is over; the phase in progress at the start has parity 0.
DEVICE void mbarrier_wait(Mbarrier& barrier, uint32_t parity) {
  HOPPER(asm volatile(
      "{\n.reg .pred over;\nagain:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 over, [%0], %1;\n@!over bra again;\n}" ::"r"(
          shared_address(&barrier)),
      "r"(parity)
      : "memory"));
}

DEVICE void tensor_load(void* shared, const TensorMap& map, Mbarrier& barrier, int column,
                        int row) {
  HOPPER(
      asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
                   "[%0], [%1, {%3, %4}], "
                   "[%2];" ::"r"(shared_address(shared)),
                   "l"(&map.map), "r"(shared_address(&barrier)), "r"(column), "r"(row)
                   : "memory"));
}
DEVICE void tensor_store(const TensorMap& map, const void* shared, int column, int row) {
  HOPPER(asm volatile(
      "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];" ::"l"(&map.map),
      "r"(shared_address(shared)), "r"(column), "r"(row)
      : "memory"));
}
DEVICE void tensor_store_commit() {
  HOPPER(asm volatile("cp.async.bulk.commit_group;" ::: "memory"));
}
template <int groups_left>
DEVICE void tensor_store_wait() {
  HOPPER(asm volatile("cp.async.bulk.wait_group %0;" ::"n"(groups_left) : "memory"));
}
// Own ordinary writes to shared memory become visible to the copy engine and the tensor cores.
DEVICE void fence_async_proxy() {
  HOPPER(asm volatile("fence.proxy.async.shared::cta;" ::: "memory"));
}

// The warpgroup.

// A tile in shared memory, swizzled in lines of 128, 64 or 32 bytes. See emulator/wgmma.cpp,
// address_of, for what the strides mean.
DEVICE uint64_t matrix_descriptor(const void* tile, uint32_t leading_bytes, uint32_t stride_bytes,
                                  uint32_t line_bytes = 128) {
  const auto field = [](uint32_t bytes) { return uint64_t((bytes & 0x3ffff) >> 4); };
  return field(shared_address(tile)) | field(leading_bytes) << 16 | field(stride_bytes) << 32 |
         uint64_t(line_bytes == 128  ? 1
                  : line_bytes == 64 ? 2
                                     : 3)
             << 62;
}

DEVICE void wgmma_fence() { HOPPER(asm volatile("wgmma.fence.sync.aligned;" ::: "memory")); }
DEVICE void wgmma_commit() {
  HOPPER(asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"));
}
template <int groups_left>
DEVICE void wgmma_wait() {
  HOPPER(asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(groups_left) : "memory"));
}
template <int count>
DEVICE void registers_take() {
  HOPPER(asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count)));
}
template <int count>
DEVICE void registers_give() {
  HOPPER(asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count)));
}

#include "wgmma.cuh"

// Arithmetic.

DEVICE float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
