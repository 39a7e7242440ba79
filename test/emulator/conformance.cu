// One tiny kernel per instruction, whose raw registers and bytes are printed: once by the emulator,
// once by a card, then compared with diff. Inputs are small integers, so every sum is exact and no
// order matters.
//
// Usage: conformance [name]. Without a name one line per case, with it also every word of that
// case.
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "../../native/cuda/device.cuh"

using inbatch::bf16;
using inbatch::pack;

namespace {

constexpr int words = 1 << 16;

struct alignas(1024) Shared {
  bf16 a[64 * 64], b[256 * 64];
  uint32_t raw[2048];
  Mbarrier barrier;
};

// The small integer that stands at (row, column) of the test matrix `which`.
__host__ __device__ float entry(int which, int row, int column) {
  const uint32_t mixed = (row * 131u + column * 37u + which * 17u + 5u) * 2654435761u;
  return float(int(mixed >> 24) % 17 - 8);
}

// The warp.

__global__ void shuffles(uint32_t* out) {
  const int lane = threadIdx.x;
  const int values[] = {
      __shfl_xor_sync(all_lanes, lane * 3, 5),    __shfl_down_sync(all_lanes, lane * 3, 3),
      __shfl_up_sync(all_lanes, lane * 3, 9),     __shfl_sync(all_lanes, lane * 3, 13),
      __shfl_xor_sync(all_lanes, lane * 3, 9, 8), __shfl_down_sync(all_lanes, lane * 3, 3, 8),
      __shfl_up_sync(all_lanes, lane * 3, 3, 16), __shfl_sync(all_lanes, lane * 3, 13, 8)};
  for (int i = 0; i < 8; ++i) out[i * 32 + lane] = values[i];
}

__global__ void votes(uint32_t* out) {
  const unsigned lane = threadIdx.x;
  out[lane] = __ballot_sync(all_lanes, lane * 7 % 5 < 2);
  out[32 + lane] = __any_sync(all_lanes, lane == 9) + 2 * __all_sync(all_lanes, lane < 31);
  out[64 + lane] = __reduce_add_sync(all_lanes, lane * lane);
  out[96 + lane] = __reduce_max_sync(all_lanes, lane * 37 % 32);
}

template <int count, bool transposed>
__global__ void matrix_loads(uint32_t* out) {
  Shared& shared = shared_memory<Shared>();
  const int lane = threadIdx.x;
  for (int i = 0; i < 4; ++i) shared.raw[lane * 4 + i] = 0x10001 * (lane * 8 + i * 2) + 0x10000;
  __syncthreads();
  uint32_t registers[count];
  load_matrices<count, transposed>(registers, &shared.raw[(lane * 5 % 32) * 4]);
  for (int i = 0; i < count; ++i) out[i * 32 + lane] = registers[i];
}

__global__ void products(uint32_t* out) {
  const int lane = threadIdx.x;
  uint32_t a[4], b[2];
  float d[4];
  for (int i = 0; i < 4; ++i) a[i] = pack(entry(0, lane, 2 * i), entry(0, lane, 2 * i + 1));
  for (int i = 0; i < 2; ++i) b[i] = pack(entry(1, lane, 2 * i), entry(1, lane, 2 * i + 1));
  for (int i = 0; i < 4; ++i) d[i] = entry(2, lane, i);
  multiply(d, a, b);
  for (int i = 0; i < 4; ++i) out[i * 32 + lane] = __float_as_uint(d[i]);
}

__global__ void rounding(uint32_t* out) {
  const uint32_t bits[] = {0x3f800000, 0x3f808000, 0x3f818000, 0x3f808001, 0x7f7fffff, 0x7f800000,
                           0xff800000, 0x7fc00000, 0x7f800001, 0x00000001, 0x00008000, 0x00018000,
                           0x80000000, 0x477fe000, 0xc2f6e979, 0x33333333};
  if (threadIdx.x < 16) out[threadIdx.x] = bf16(__uint_as_float(bits[threadIdx.x])).bits;
}

// Copies.

__global__ void partial_copies(uint32_t* out, const bf16* from) {
  Shared& shared = shared_memory<Shared>();
  const int lane = threadIdx.x;
  if (lane < 17) copy_async_16(shared.raw + lane * 4, from + lane * 8, lane);
  copy_async_commit();
  copy_async_wait<0>();
  if (lane < 17)
    for (int i = 0; i < 4; ++i) out[lane * 4 + i] = shared.raw[lane * 4 + i];
}

__device__ void begin_phase(Shared& shared) {
  if (threadIdx.x == 0) {
    mbarrier_init(shared.barrier, 1);
    mbarrier_init_fence();
  }
  __syncthreads();
}

// `shift` moves the box off the 1024-byte boundary, which shows what the swizzle is computed from.
__global__ void loads(uint32_t* out, const __grid_constant__ TensorMap map, int box_bytes,
                      int column, int row, int shift) {
  Shared& shared = shared_memory<Shared>();
  begin_phase(shared);
  bf16* to = shared.b + shift;
  if (threadIdx.x == 0) {
    mbarrier_wait(shared.barrier, 1);  // the phase before the first counts as over
    mbarrier_arrive_expect(shared.barrier, box_bytes);
    tensor_load(to, map, shared.barrier, column, row);
  }
  mbarrier_wait(shared.barrier, 0);
  for (int i = threadIdx.x; i < box_bytes / 4; i += blockDim.x)
    out[i] = reinterpret_cast<uint32_t*>(to)[i];
}

__global__ void stores(uint32_t*, const __grid_constant__ TensorMap map, int box_bytes, int column,
                       int row) {
  Shared& shared = shared_memory<Shared>();
  for (int i = threadIdx.x; i < box_bytes / 4; i += blockDim.x)
    shared.raw[i] = 0x10000 * (2 * i + 1) + 2 * i;
  fence_async_proxy();
  __syncthreads();
  if (threadIdx.x != 0) return;
  tensor_store(map, shared.raw, column, row);
  tensor_store_commit();
  tensor_store_wait<0>();
}

// The warpgroup.

enum Form {
  plain,
  later_k,
  chained,
  b_by_columns,
  a_in_registers,
  both,          // of the two before
  a_by_columns,  // from step 16 on, as what follows
  by_columns     // either operand
};

// a (64, 64) and b (columns, 64), or (64, columns) by columns, both swizzled by the copy engine in
// lines of `line` bytes.
template <int columns, Form form, int line = 128>
__global__ void group_products(uint32_t* out, const __grid_constant__ TensorMap a,
                               const __grid_constant__ TensorMap b) {
  Shared& shared = shared_memory<Shared>();
  begin_phase(shared);
  constexpr bool a_across = form == a_by_columns || form == by_columns;
  constexpr bool across = form == b_by_columns || form == both || form == by_columns;
  constexpr int wide = line / 2, b_rows = across ? 64 : columns;
  constexpr int boxes = across && columns > wide ? columns / wide : 1;
  if (threadIdx.x == 0) {
    mbarrier_arrive_expect(shared.barrier, (64 + b_rows * boxes) * line);
    tensor_load(shared.a, a, shared.barrier, 0, 0);
    for (int box = 0; box < boxes; ++box)
      tensor_load(shared.b + box * 64 * wide, b, shared.barrier, box * wide, 0);
  }
  mbarrier_wait(shared.barrier, 0);
  float d[columns / 2];
  for (int j = 0; j < columns / 2; ++j) d[j] = float(j);
  constexpr int k = form == later_k ? 48 : a_across ? 16 : 0;
  const uint64_t left = a_across ? matrix_descriptor(shared.a + k * wide, 64 * line, 8 * line, line)
                                 : matrix_descriptor(shared.a + k, 16, 8 * line, line);
  const uint64_t right = across ? matrix_descriptor(shared.b + k * wide, 64 * line, 8 * line, line)
                                : matrix_descriptor(shared.b + k, 16, 8 * line, line);
  uint32_t registers[4];
  for (int i = 0; i < 4; ++i)
    registers[i] = pack(entry(3, threadIdx.x, 2 * i), entry(3, threadIdx.x, 2 * i + 1));
  wgmma_fence();
  if constexpr (form == a_in_registers || form == both)
    wgmma<columns, across>(d, registers, right, true);
  else
    wgmma<columns, across, a_across>(d, left, right, form == chained || a_across);
  if constexpr (form == chained)
    wgmma<columns>(d, matrix_descriptor(shared.a + 16, 16, 1024),
                   matrix_descriptor(shared.b + 16, 16, 1024), true);
  wgmma_commit();
  wgmma_wait<0>();
  for (int j = 0; j < columns / 2; ++j) out[j * 128 + threadIdx.x] = __float_as_uint(d[j]);
}

// Recorded work.

__global__ void add_words(uint32_t* out, const uint32_t* in, uint32_t factor) {
  out[threadIdx.x] += factor * in[threadIdx.x];
}

// The list of cases.

void check(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
}

template <class T>
T* on_device(size_t count) {
  void* pointer;
  check(cudaMalloc(&pointer, count * sizeof(T)));
  return static_cast<T*>(pointer);
}

bf16* test_matrix(int which, int rows, int columns) {
  std::vector<bf16> values;
  for (int row = 0; row < rows; ++row)
    for (int column = 0; column < columns; ++column)
      values.push_back(bf16(entry(which, row, column)));
  bf16* data = on_device<bf16>(values.size());
  check(cudaMemcpy(data, values.data(), values.size() * 2, cudaMemcpyHostToDevice));
  return data;
}

std::string chosen;
uint32_t* out;

void tell(const char* name, int count) {
  std::vector<uint32_t> got(words);
  check(cudaMemcpy(got.data(), out, words * 4, cudaMemcpyDeviceToHost));
  uint64_t hash = 1469598103934665603u;
  for (int i = 0; i < count; ++i) hash = (hash ^ got[i]) * 1099511628211u;
  printf("%-28s %6d words %016llx\n", name, count, static_cast<unsigned long long>(hash));
  if (chosen == name)
    for (int i = 0; i < count; ++i) printf("%08x%c", got[i], i % 16 == 15 ? '\n' : ' ');
}

template <class... Parameters, class... Arguments>
void run(const char* name, int count, int threads, void (*kernel)(uint32_t*, Parameters...),
         const Arguments&... arguments) {
  check(cudaMemsetAsync(out, 0, words * 4, 0));
  launch({dim3(1), dim3(threads), sizeof(Shared), 0}, kernel, out, arguments...);
  tell(name, count);
}

// A kernel, a copy and zeros that were recorded once run over the bytes of two rounds, which a
// stream of its own brings from pinned memory.
struct Rounds {
  static constexpr int count = 64, bytes = count * 4;
  cudaStream_t queue, side;
  cudaEvent_t arrived, used;
  cudaGraphExec_t recorded;
  uint32_t *here, *there = on_device<uint32_t>(count);

  Rounds() {
    void* pinned = nullptr;
    check(cudaMallocHost(&pinned, bytes));
    here = static_cast<uint32_t*>(pinned);
    for (cudaStream_t* stream : {&queue, &side})
      check(cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking));
    for (cudaEvent_t* event : {&arrived, &used})
      check(cudaEventCreateWithFlags(event, cudaEventDisableTiming));
  }

  void record() {
    cudaGraph_t graph;
    check(cudaStreamBeginCapture(queue, cudaStreamCaptureModeThreadLocal));
    launch({dim3(1), dim3(count), 0, queue}, add_words, out, there, 3u);
    check(cudaMemcpyAsync(out + count, there, bytes, cudaMemcpyDeviceToDevice, queue));
    check(cudaMemsetAsync(out + 2 * count, 7, bytes, queue));
    check(cudaStreamEndCapture(queue, &graph));
    check(cudaGraphInstantiate(&recorded, graph, 0));
    check(cudaGraphDestroy(graph));
  }

  void run(uint32_t round) {
    check(cudaEventSynchronize(arrived));
    for (uint32_t i = 0; i < count; ++i) here[i] = i * i + 1000 * round;
    check(cudaStreamWaitEvent(side, used, 0));
    check(cudaMemcpyAsync(there, here, bytes, cudaMemcpyHostToDevice, side));
    check(cudaEventRecord(arrived, side));
    check(cudaStreamWaitEvent(queue, arrived, 0));
    check(cudaGraphLaunch(recorded, queue));
    check(cudaEventRecord(used, queue));
  }
};

void run_recorded() {
  Rounds rounds;
  check(cudaMemsetAsync(out, 0, words * 4, rounds.queue));
  rounds.record();
  for (uint32_t round : {1, 2}) rounds.run(round);
  check(cudaStreamSynchronize(rounds.queue));
  check(cudaGraphExecDestroy(rounds.recorded));
  tell("recorded, two streams", 3 * Rounds::count);
}

// What products of columns with columns take, and the sums beside them.
void run_across(bf16* a, bf16* b) {
  const TensorMap left = tensor_map(a, 64, 64, 64, 64, 64, true),
                  columns = tensor_map(b, 64, 256, 256, 64, 64, true);
  run("wgmma n192", 96 * 128, 128, group_products<192, plain>, left,
      tensor_map(b, 256, 64, 64, 192, 64, true));
  run("wgmma n256, b by columns", 128 * 128, 128, group_products<256, b_by_columns>, left, columns);
  run("wgmma n8, a by columns", 4 * 128, 128, group_products<8, a_by_columns>, left,
      tensor_map(b, 256, 64, 64, 8, 64, true));
  run("wgmma n64, by columns", 32 * 128, 128, group_products<64, by_columns>, left, columns);
  run("wgmma n128, by columns", 64 * 128, 128, group_products<128, by_columns>, left, columns);
  run("wgmma n192, by columns", 96 * 128, 128, group_products<192, by_columns>, left, columns);
  run("wgmma n256, by columns", 128 * 128, 128, group_products<256, by_columns>, left, columns);
}

// Lines of 64 and of 32 bytes.
void run_lines(bf16* matrix, bf16* a, bf16* b) {
  run("load, lines of 64", 768, 64, loads, tensor_map(matrix, 40, 72, 72, 48, 32, true), 3072, 8, 3,
      0);
  run("load, lines of 32", 768, 64, loads, tensor_map(matrix, 40, 72, 72, 96, 16, true), 3072, 8, 3,
      0);
  const TensorMap left64 = tensor_map(a, 64, 64, 64, 64, 32, true),
                  left32 = tensor_map(a, 64, 64, 64, 64, 16, true),
                  columns64 = tensor_map(b, 64, 256, 256, 64, 32, true),
                  columns32 = tensor_map(b, 64, 256, 256, 64, 16, true);
  run("wgmma n32, lines of 64", 16 * 128, 128, group_products<32, plain, 64>, left64,
      tensor_map(b, 256, 64, 64, 32, 32, true));
  run("wgmma n96, lines of 64", 48 * 128, 128, group_products<96, plain, 64>, left64,
      tensor_map(b, 256, 64, 64, 96, 32, true));
  run("wgmma n80, lines of 32", 40 * 128, 128, group_products<80, plain, 32>, left32,
      tensor_map(b, 256, 64, 64, 80, 16, true));
  run("wgmma n32, 64, by columns", 16 * 128, 128, group_products<32, b_by_columns, 64>, left64,
      columns64);
  run("wgmma n96, 64, both", 48 * 128, 128, group_products<96, both, 64>, left64, columns64);
  run("wgmma n80, 32, both", 40 * 128, 128, group_products<80, both, 32>, left32, columns32);
  run("wgmma n128, both", 64 * 128, 128, group_products<128, both>,
      tensor_map(a, 64, 64, 64, 64, 64, true), tensor_map(b, 64, 256, 256, 64, 64, true));
}

void run_hopper(bf16* matrix, bf16* a, bf16* b) {
  const TensorMap flat = tensor_map(matrix, 40, 72, 72, 24, 64, false),
                  lines = tensor_map(matrix, 40, 72, 72, 24, 64, true);
  run("load, plain", 768, 64, loads, flat, 3072, 0, 0, 0);
  run("load, swizzled", 768, 64, loads, lines, 3072, 0, 0, 0);
  run("load, past the end", 768, 64, loads, lines, 3072, 40, 30, 0);
  run("load, before the start", 768, 64, loads, lines, 3072, -8, -3, 0);
  run("load, swizzled, off by 128", 768, 64, loads, lines, 3072, 0, 0, 64);
  bf16* target = reinterpret_cast<bf16*>(out);
  run("store, plain", 2048, 64, stores, tensor_map(target, 40, 72, 72, 24, 64, false), 3072, 8, 3);
  run("store, swizzled, past the end", 2048, 64, stores,
      tensor_map(target, 40, 72, 72, 24, 64, true), 3072, 24, 30);
  const TensorMap left = tensor_map(a, 64, 64, 64, 64, 64, true);
  const auto right = [&](int columns) { return tensor_map(b, 256, 64, 64, columns, 64, true); };
  run("wgmma n8", 4 * 128, 128, group_products<8, plain>, left, right(8));
  run("wgmma n64", 32 * 128, 128, group_products<64, plain>, left, right(64));
  run("wgmma n128", 64 * 128, 128, group_products<128, plain>, left, right(128));
  run("wgmma n256", 128 * 128, 128, group_products<256, plain>, left, right(256));
  run("wgmma n64, k 48", 32 * 128, 128, group_products<64, later_k>, left, right(64));
  run("wgmma n64, chained", 32 * 128, 128, group_products<64, chained>, left, right(64));
  run("wgmma n64, a in registers", 32 * 128, 128, group_products<64, a_in_registers>, left,
      right(64));
  const TensorMap columns = tensor_map(b, 64, 256, 256, 64, 64, true);
  run("wgmma n64, b by columns", 32 * 128, 128, group_products<64, b_by_columns>, left, columns);
  run("wgmma n128, b by columns", 64 * 128, 128, group_products<128, b_by_columns>, left, columns);
  run_lines(matrix, a, b);
  run_across(a, b);
}

}  // namespace

int main(int count, char** arguments) try {
  if (count > 1) chosen = arguments[1];
  out = on_device<uint32_t>(words);
  bf16 *matrix = test_matrix(4, 40, 72), *a = test_matrix(5, 64, 64), *b = test_matrix(6, 256, 64);
  run("shuffles", 256, 32, shuffles);
  run("votes", 128, 32, votes);
  run("ldmatrix x4", 128, 32, matrix_loads<4, false>);
  run("ldmatrix x4 transposed", 128, 32, matrix_loads<4, true>);
  run("ldmatrix x2", 64, 32, matrix_loads<2, false>);
  run("ldmatrix x2 transposed", 64, 32, matrix_loads<2, true>);
  run("mma m16n8k16", 128, 32, products);
  run("bf16 rounding", 16, 32, rounding);
  run("cp.async, partial", 68, 32, partial_copies, matrix);
  run_recorded();
  if (device_capability() == 90) run_hopper(matrix, a, b);
  return 0;
} catch (const std::exception& error) {
  printf("FAIL %s\n", error.what());
  return 1;
}
