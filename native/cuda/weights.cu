// Means and moves of weights. Contract: ops/weights.h. Limited by memory.
#include "../ops/weights.h"

#include "elements.cuh"

namespace inbatch::cuda {
namespace {

struct Blended {
  float share;
  const float* x;
  float* y;
  DEVICE void operator()(int64_t i) const { y[i] = y[i] + share * (x[i] - y[i]); }
};

struct Exchanged {
  float *x, *y;
  DEVICE void operator()(int64_t i) const {
    const float kept = x[i];
    x[i] = y[i];
    y[i] = kept;
  }
};

// Without a bound origin is null.
struct Perturbed {
  float scale, bound;
  float* weight;
  const float *gradient, *origin;
  DEVICE void operator()(int64_t i) const {
    float moved = weight[i] + scale * gradient[i];
    if (origin) {
      const float from = origin[i], reach = bound * fabsf(from);
      moved = moved < from - reach ? from - reach : moved;
      moved = moved > from + reach ? from + reach : moved;
    }
    weight[i] = moved;
  }
};

constexpr int kSumThreads = 256;
constexpr int64_t kStretch = 16384;  // elements of a block: their order follows from the size alone

struct BlockSum {
  double value[kSumThreads];
};

// The sum over the threads of a block, in thread 0; halves of them meet until one is left.
DEVICE double sum_of_block(BlockSum& shared, double value) {
  shared.value[threadIdx.x] = value;
  for (int half = kSumThreads / 2; half > 0; half /= 2) {
    __syncthreads();  // sums of the round before written -> read; those read -> written here
    if (int(threadIdx.x) < half) shared.value[threadIdx.x] += shared.value[threadIdx.x + half];
  }
  return shared.value[0];
}

// Grid (P / 16384), 256 threads: a block has a stretch, a thread every 256th element of it.
__global__ void __launch_bounds__(kSumThreads)
    squared_distances(const float* a, const float* b, double* parts, int64_t size) {
  auto& shared = shared_memory<BlockSum>();
  const int64_t begin = int64_t(blockIdx.x) * kStretch;
  const int64_t end = begin + kStretch < size ? begin + kStretch : size;
  double sum = 0.0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kSumThreads) {
    const double apart = double(a[i]) - double(b[i]);
    sum = fma(apart, apart, sum);
  }
  sum = sum_of_block(shared, sum);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// One block: result += the sum of all parts.
__global__ void __launch_bounds__(kSumThreads)
    add_parts(double* result, const double* parts, int64_t count) {
  auto& shared = shared_memory<BlockSum>();
  double sum = 0.0;
  for (int64_t i = threadIdx.x; i < count; i += kSumThreads) sum += parts[i];
  sum = sum_of_block(shared, sum);
  if (threadIdx.x == 0) *result += sum;
}

}  // namespace

template <>
void run<Blend>(const Stream& stream, const Blend& op) {
  const float share = float(op.share);
  if (share == 1) return stream.copy(op.y.data, op.x.data, size_t(op.x.bytes()));
  over_elements(stream, op.x.size(), Blended{share, op.x.f32(), op.y.f32()});
}

template <>
void run<Exchange>(const Stream& stream, const Exchange& op) {
  over_elements(stream, op.x.size(), Exchanged{op.x.f32(), op.y.f32()});
}

template <>
void run<Perturb>(const Stream& stream, const Perturb& op) {
  const float* origin = op.bound > 0 ? op.origin.f32() : nullptr;
  over_elements(
      stream, op.weight.size(),
      Perturbed{float(op.scale), float(op.bound), op.weight.f32(), op.gradient.f32(), origin});
}

template <>
void run<SquaredDistance>(const Stream& stream, const SquaredDistance& op) {
  const unsigned blocks = blocks_of(op.a.size(), kStretch);
  if (blocks == 0) return;
  const Scope scope(stream.scratch());
  double* parts = stream.scratch().tensor(1, blocks, Type::F64).as<double>();
  launch(stream, {dim3(blocks), dim3(kSumThreads), sizeof(BlockSum)}, squared_distances, op.a.f32(),
         op.b.f32(), parts, op.a.size());
  launch(stream, {dim3(1), dim3(kSumThreads), sizeof(BlockSum)}, add_parts, op.result.as<double>(),
         static_cast<const double*>(parts), int64_t(blocks));
}

}  // namespace inbatch::cuda
