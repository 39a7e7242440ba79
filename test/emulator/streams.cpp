// Streams run their work in a random order that events allow; a missing event or wait shows in some
// seeds.
#include "check.h"

namespace {

// Copies 1s over 0s on one stream, reads them on another; true if the reader saw the 1s.
bool second_stream_sees(bool with_event, bool with_wait, int seed) {
#ifndef __CUDACC__
  emulator::seed(seed);
#endif
  cudaStream_t first, second;
  cudaEvent_t written;
  cudaStreamCreate(&first);
  cudaStreamCreate(&second);
  cudaEventCreate(&written);
  Buffer<int> from(std::vector<int>(64, 0));
  std::vector<int> got(64, -1);
  cudaMemsetAsync(from.data, 1, 64 * sizeof(int), first);
  cudaEventRecord(written, first);
  if (with_event) cudaStreamWaitEvent(second, written);
  cudaMemcpyAsync(got.data(), from.data, 64 * sizeof(int), cudaMemcpyDeviceToHost, second);
  if (with_wait) cudaStreamSynchronize(second);
  const bool seen = got[63] == 0x01010101;
  cudaDeviceSynchronize();
  return seen;
}

int seen_of_twenty(bool with_event, bool with_wait) {
  int seen = 0;
  for (int seed = 1; seed <= 20; ++seed) seen += second_stream_sees(with_event, with_wait, seed);
  return seen;
}

}  // namespace

int main() {
  const int ordered = seen_of_twenty(true, true);
  const int unordered = seen_of_twenty(false, true);
  const int unwaited = seen_of_twenty(true, false);
  printf("streams: right with event and wait %d of 20, without event %d, without wait %d\n",
         ordered, unordered, unwaited);
  return ordered != 20 || unordered == 20 || unwaited == 20;
}
