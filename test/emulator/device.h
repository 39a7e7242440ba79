// The language of kernels on the host: the same names as ptx.cuh, each calling into the emulator.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "async.h"
#include "../../native/base/bf16.h"
#include "block.h"
#include "memory.h"
#include "runtime.h"
#include "warp.h"
#include "wgmma.h"

#define __global__
#define __device__
#define __host__
#define DEVICE inline
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __restrict__ __restrict

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) uint2 {
  uint32_t x, y;
};
struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};

using emulator::Entered;
using emulator::TensorMap;
using emulator::Where;
#define HERE Where where = Where::current()

// The block.

template <class T>
T& shared_memory(HERE) {
  if (sizeof(T) > emulator::block.shared_bytes)
    emulator::fail("shared_memory at %s: %zu bytes wanted, %zu launched",
                   emulator::describe(where).c_str(), sizeof(T), emulator::block.shared_bytes);
  return *reinterpret_cast<T*>(emulator::block.shared);
}

inline void __syncthreads(HERE) {
  const Entered entered;
  emulator::barrier(0, emulator::block.threads, true, where);
}
template <int id>
void named_barrier_sync(int threads, HERE) {
  const Entered entered;
  emulator::barrier(id, threads, true, where);
}
template <int id>
void named_barrier_arrive(int threads, HERE) {
  const Entered entered;
  emulator::barrier(id, threads, false, where);
}
inline void __threadfence() {}

// The warp.

constexpr uint32_t all_lanes = emulator::all_lanes;

template <class T>
T shuffle_from(uint32_t mask, T value, int source, const Where& where) {
  static_assert(sizeof(T) <= 8);
  emulator::Exchange record;
  memcpy(&record.value, &value, sizeof(T));
  record.source = source & 31;
  const Entered entered;
  emulator::shuffle(mask, record, where);
  memcpy(&value, &record.out, sizeof(T));
  return value;
}

inline int lane_id() { return emulator::lane(); }

template <class T>
T __shfl_sync(uint32_t mask, T value, int source, int width = 32, HERE) {
  return shuffle_from(mask, value, (lane_id() & ~(width - 1)) | (source & (width - 1)), where);
}
template <class T>
T __shfl_xor_sync(uint32_t mask, T value, int bits, int width = 32, HERE) {
  const int source = lane_id() ^ bits;
  return shuffle_from(mask, value, source / width > lane_id() / width ? lane_id() : source, where);
}
template <class T>
T __shfl_down_sync(uint32_t mask, T value, int by, int width = 32, HERE) {
  return shuffle_from(mask, value, lane_id() % width + by < width ? lane_id() + by : lane_id(),
                      where);
}
template <class T>
T __shfl_up_sync(uint32_t mask, T value, int by, int width = 32, HERE) {
  return shuffle_from(mask, value, lane_id() % width >= by ? lane_id() - by : lane_id(), where);
}
inline unsigned __ballot_sync(uint32_t mask, bool value, HERE) {
  emulator::Exchange record{value};
  const Entered entered;
  emulator::ballot(mask, record, where);
  return unsigned(record.out);
}
inline bool __any_sync(uint32_t mask, bool value, HERE) {
  return __ballot_sync(mask, value, where) != 0;
}
inline bool __all_sync(uint32_t mask, bool value, HERE) {
  return __ballot_sync(mask, value, where) == mask;
}
inline unsigned __reduce_add_sync(uint32_t mask, unsigned value, HERE) {
  emulator::Exchange record{value};
  const Entered entered;
  emulator::reduce_add(mask, record, where);
  return unsigned(record.out);
}
inline unsigned __reduce_max_sync(uint32_t mask, unsigned value, HERE) {
  emulator::Exchange record{value};
  const Entered entered;
  emulator::reduce_max(mask, record, where);
  return unsigned(record.out);
}
inline void __syncwarp(uint32_t mask = all_lanes, HERE) {
  const Entered entered;
  emulator::sync_warp(mask, where);
}

template <int count, bool transposed = false>
void load_matrices(uint32_t (&out)[count], const void* row, HERE) {
  emulator::MatrixLoad record{row, out, count, transposed, where};
  const Entered entered;
  emulator::load_matrix(record);
}
inline void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], HERE) {
  emulator::MatrixProduct record{d, a, b};
  const Entered entered;
  emulator::multiply_m16n8k16(record, where);
}

// Copies beside the threads.

inline void copy_async_16(void* shared, const void* global, int bytes = 16, HERE) {
  const Entered entered;
  emulator::copy_async(shared, global, bytes, 16, where);
}
inline void copy_async_commit() {
  const Entered entered;
  emulator::copy_async_commit();
}
template <int groups_left>
void copy_async_wait() {
  const Entered entered;
  emulator::copy_async_wait(groups_left);
}

struct Mbarrier {
  uint64_t word;
};
inline void mbarrier_init(Mbarrier& barrier, int count, HERE) {
  const Entered entered;
  emulator::mbarrier_init(&barrier.word, count, where);
}
inline void mbarrier_init_fence() {
  const Entered entered;
  emulator::mbarrier_init_fence();
}
inline void mbarrier_arrive(Mbarrier& barrier, HERE) {
  const Entered entered;
  emulator::mbarrier_arrive(&barrier.word, 0, where);
}
inline void mbarrier_arrive_expect(Mbarrier& barrier, uint32_t bytes, HERE) {
  const Entered entered;
  emulator::mbarrier_arrive(&barrier.word, bytes, where);
}
inline void mbarrier_wait(Mbarrier& barrier, uint32_t parity, HERE) {
  const Entered entered;
  emulator::mbarrier_wait(&barrier.word, parity, where);
}

inline void tensor_load(void* shared, const TensorMap& map, Mbarrier& barrier, int column, int row,
                        HERE) {
  const Entered entered;
  emulator::tensor_load(shared, map, &barrier.word, column, row, where);
}
inline void tensor_store(const TensorMap& map, const void* shared, int column, int row, HERE) {
  const Entered entered;
  emulator::tensor_store(map, shared, column, row, where);
}
inline void tensor_store_commit() {
  const Entered entered;
  emulator::tensor_store_commit();
}
template <int groups_left>
void tensor_store_wait() {
  const Entered entered;
  emulator::tensor_store_wait(groups_left);
}
inline void fence_async_proxy() {
  const Entered entered;
  emulator::fence_async_proxy();
}

// The warpgroup.

using emulator::matrix_descriptor;

inline void wgmma_fence() {
  const Entered entered;
  emulator::wgmma_fence();
}
inline void wgmma_commit(HERE) {
  const Entered entered;
  emulator::wgmma_commit(where);
}
template <int groups_left>
void wgmma_wait(HERE) {
  const Entered entered;
  emulator::wgmma_wait(groups_left, where);
}
template <int columns, bool b_transposed = false, bool a_transposed = false>
void wgmma(float (&d)[columns / 2], uint64_t a, uint64_t b, bool accumulate, HERE) {
  emulator::GroupProduct record{
      d, nullptr, a, b, columns, accumulate, a_transposed, b_transposed, where};
  const Entered entered;
  emulator::wgmma(record);
}
template <int columns, bool b_transposed = false>
void wgmma(float (&d)[columns / 2], const uint32_t (&a)[4], uint64_t b, bool accumulate, HERE) {
  emulator::GroupProduct record{d, a, 0, b, columns, accumulate, false, b_transposed, where};
  const Entered entered;
  emulator::wgmma(record);
}
template <int count>
void registers_take(HERE) {
  static_assert(count % 8 == 0 && count >= 24 && count <= 256);
  const Entered entered;
  emulator::change_registers(count, where);
}
template <int count>
void registers_give(HERE) {
  registers_take<count>(where);
}

// Arithmetic.

template <class T>
T atomicAdd(T* at, T value, HERE) {
  const Entered entered;
  emulator::touch(*emulator::current, at, sizeof(T), emulator::Access::atomic,
                  emulator::site_of(where));
  return emulator::exchange_add(at, value);
}
inline unsigned __float_as_uint(float x) {
  unsigned bits;
  memcpy(&bits, &x, 4);
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}
inline int64_t __double_as_longlong(double x) {
  int64_t bits;
  memcpy(&bits, &x, 8);
  return bits;
}
// sum + the four products of signed bytes.
inline int __dp4a(int a, int b, int sum) {
  for (int shift = 0; shift < 32; shift += 8) sum += int8_t(a >> shift) * int8_t(b >> shift);
  return sum;
}
inline float __fmul_rn(float a, float b) { return a * b; }
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float exp2_fast(float x) { return exp2f(x); }
template <class T>
T min(T a, T b) {
  return b < a ? b : a;
}
template <class T>
T max(T a, T b) {
  return a < b ? b : a;
}

#undef HERE
