// Streams run their work in a random order that events allow: a missing event or wait shows as
// wrong data in some seeds. Prints how often of twenty the data were right.
#include <cstdio>
#include <vector>

#include "runtime.h"

namespace {

constexpr size_t bytes = 256;

// Writes ones on one stream and reads them on another; whether the reader saw them.
bool second_stream_sees(bool with_event, bool with_wait, uint64_t seed) {
  emulator::seed(seed);
  cudaStream_t first, second;
  cudaEvent_t written;
  cudaStreamCreate(&first);
  cudaStreamCreate(&second);
  cudaEventCreate(&written);
  void* data = nullptr;
  cudaMalloc(&data, bytes);
  std::vector<char> got(bytes, -1);
  cudaMemsetAsync(data, 0, bytes, 0);
  cudaStreamSynchronize(0);
  cudaMemsetAsync(data, 1, bytes, first);
  cudaEventRecord(written, first);
  if (with_event) cudaStreamWaitEvent(second, written);
  cudaMemcpyAsync(got.data(), data, bytes, cudaMemcpyDeviceToHost, second);
  if (with_wait) cudaStreamSynchronize(second);
  const bool seen = got[bytes - 1] == 1;
  cudaFree(data);
  return seen;
}

int seen_of_twenty(bool with_event, bool with_wait) {
  int seen = 0;
  for (int seed = 1; seed <= 20; ++seed) {
    seen += second_stream_sees(with_event, with_wait, uint64_t(seed));
  }
  return seen;
}

}  // namespace

int main() {
  printf("ordered %d\n", seen_of_twenty(true, true));
  printf("without event %d\n", seen_of_twenty(false, true));
  printf("without wait %d\n", seen_of_twenty(true, false));
}
