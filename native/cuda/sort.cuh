// Rows that go to one place, in their order: a stable sort of small numbers, and sums over those
// that are equal.
//
// By digits of 8 bits, the lowest first; each pass counts, sums the counts and moves. A block has
// 256 numbers, a thread one of them. Atomics count integers only, so nothing depends on their
// order.
//
// A pass moves 20 bytes a number beside the counts, and a thread compares up to 255 digits before
// its own in shared memory. Its middle step is one block that walks over the counts of all others
// twice: for 65,536 numbers 256 steps, each a read of 1 KiB; that walk limits a pass of many
// numbers. sum_runs reads each row of x once, with memory as its limit, but for a number that most
// rows have: its run is a chain of additions for each column.
#pragma once

#include "elements.cuh"
#include "types.cuh"

namespace inbatch::cuda {
namespace {

constexpr int kDigits = 256,
              kDigitBits = 8;  // values of a digit; also numbers and threads of a block

// The numbers by rising value, equal ones by rising place, and the places that they came from.
struct Sorted {
  const int32_t *keys, *places;
  int64_t size;

  // The end of the run of equal numbers that begins at `first`.
  DEVICE int64_t end_of(int64_t first) const {
    const int32_t key = keys[first];
    int64_t low = first + 1, high = size;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (keys[middle] == key) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
};

struct DigitShared {
  int32_t at[kDigits];
};

// Grid (size / 256): counts (blocks, 256) of each digit.
__global__ void __launch_bounds__(kDigits)
    count_digits(const int32_t* keys, int32_t* counts, int64_t size, int shift) {
  auto& count = shared_memory<DigitShared>().at;
  const int64_t i = int64_t(blockIdx.x) * kDigits + threadIdx.x;
  count[threadIdx.x] = 0;
  __syncthreads();  // counts cleared -> added to
  if (i < size) atomicAdd(&count[(keys[i] >> shift) % kDigits], 1);
  __syncthreads();  // counts added -> read
  counts[int64_t(blockIdx.x) * kDigits + threadIdx.x] = count[threadIdx.x];
}

// One block, a thread per digit: where each block's numbers of each digit begin.
__global__ void __launch_bounds__(kDigits) sum_counts(int32_t* counts, int64_t blocks) {
  auto& total = shared_memory<DigitShared>().at;
  int32_t sum = 0;
  for (int64_t block = 0; block < blocks; ++block) sum += counts[block * kDigits + threadIdx.x];
  total[threadIdx.x] = sum;
  __syncthreads();  // totals written -> read by all
  int32_t begin = 0;
  for (unsigned digit = 0; digit < threadIdx.x; ++digit) begin += total[digit];
  for (int64_t block = 0; block < blocks; ++block) {
    int32_t& count = counts[block * kDigits + threadIdx.x];
    const int32_t own = count;
    count = begin;
    begin += own;
  }
}

struct DigitPass {
  const int32_t *keys, *places;  // places: null before the first pass
  int32_t *keys_out, *places_out;
  const int32_t* begins;
  int64_t size;
  int shift;
};

// Grid (size / 256): a number goes behind those of its digit that are before it in its block.
__global__ void __launch_bounds__(kDigits) move_digits(DigitPass pass) {
  auto& digits = shared_memory<DigitShared>().at;
  const int64_t i = int64_t(blockIdx.x) * kDigits + threadIdx.x;
  const bool is_there = i < pass.size;
  const int32_t key = is_there ? pass.keys[i] : 0, digit = (key >> pass.shift) % kDigits;
  digits[threadIdx.x] = digit;
  __syncthreads();  // digits written -> read by all
  if (!is_there) return;
  int32_t rank = 0;
  for (unsigned before = 0; before < threadIdx.x; ++before) rank += digits[before] == digit;
  const int64_t to = pass.begins[int64_t(blockIdx.x) * kDigits + digit] + rank;
  pass.keys_out[to] = key;
  pass.places_out[to] = pass.places ? pass.places[i] : int32_t(i);
}

// Sorts `size` numbers from 0 to `limit` that lie in scratch; they are overwritten. What it returns
// lies in scratch too.
Sorted sort_places(const Stream& stream, int32_t* keys, int64_t size, int64_t limit) {
  Arena& arena = stream.scratch();
  const auto integers = [&](int64_t count) { return arena.tensor(1, count, Type::I32).i32(); };
  const unsigned blocks = blocks_of(size, kDigits);
  int32_t* counts = integers(int64_t(blocks) * kDigits);
  int32_t* other_keys = integers(size);
  int32_t *places = nullptr, *from = integers(size), *to = integers(size);
  const Extent each{dim3(blocks), dim3(kDigits), sizeof(DigitShared)};
  const Extent one{dim3(blocks > 0 ? 1 : 0), dim3(kDigits), sizeof(DigitShared)};
  for (int shift = 0; shift == 0 || limit >> shift > 0; shift += kDigitBits) {
    launch(stream, each, count_digits, keys, counts, size, shift);
    launch(stream, one, sum_counts, counts, int64_t(blocks));
    launch(stream, each, move_digits, DigitPass{keys, places, other_keys, to, counts, size, shift});
    std::swap(keys, other_keys);
    places = to;
    std::swap(from, to);
  }
  return {keys, places, size};
}

constexpr int kRunThreads = 128;

// Grid (size, C / 128), 128 threads: a block has the run of equal numbers that begins at its place,
// if one does, and 128 columns; a thread a column. table[key] = its value, or zero when not `adds`,
// plus scale times the rows of x in order. Neighbours read neighbours; a long run is one chain
// whose reads do not wait for its sums. The scale's product is rounded by itself, as on the CPU.
template <class T>
__global__ void __launch_bounds__(kRunThreads)
    sum_runs(Sorted rows, const T* __restrict__ x, float* __restrict__ table, int64_t limit,
             int64_t columns, float scale, bool adds) {
  const int64_t first = blockIdx.x;
  const int64_t column = int64_t(blockIdx.y) * kRunThreads + threadIdx.x;
  const int32_t key = rows.keys[first];
  const bool begins = first == 0 || rows.keys[first - 1] != key;
  if (!begins || key >= limit || column >= columns) return;
  const int64_t end = rows.end_of(first);
  float sum = adds ? table[key * columns + column] : 0.0f;
#pragma unroll 8
  for (int64_t i = first; i < end; ++i) {
    sum += __fmul_rn(float(x[rows.places[i] * columns + column]), scale);
  }
  table[key * columns + column] = sum;
}

// Adds to rows of the table, or overwrites them, the rows of x that go there; keys from `limit` on
// go nowhere.
void add_runs(const Stream& stream, const Sorted& rows, const Tensor& x, const Tensor& table,
              float scale, bool adds) {
  const dim3 grid(blocks_of(rows.size, 1), blocks_of(table.cols, kRunThreads));
  with_type(x, [&](const auto* from) {
    using T = std::remove_cv_t<std::remove_pointer_t<decltype(from)>>;
    launch(stream, {grid, dim3(kRunThreads)}, sum_runs<T>, rows, from, table.f32(), table.rows,
           table.cols, scale, adds);
  });
}

}  // namespace
}  // namespace inbatch::cuda
