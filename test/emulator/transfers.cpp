// The flow of batches in small, by rings of pinned memory as native/cuda/staging.cu has them:
// right, and with one fault each. Prints for each how often of twenty it ended well, and what was
// said.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "runtime.h"

namespace {

constexpr int batches = 6, slots = 2;
constexpr size_t bytes = 64;

enum class Fault {
  none,
  upload_not_awaited,    // the queue reads a slot there before the copy into it is done
  slot_there_reused,     // the next copy up overwrites a slot there that the queue still reads
  slot_here_reused,      // the host overwrites pinned memory that is still copied
  download_not_awaited,  // the copy down reads a slot there before the queue has written it
  result_read_early,     // the host reads pinned memory before the copy down is done
};

struct Ring {
  cudaStream_t stream;
  char *here[slots], *there[slots];
  cudaEvent_t copied[slots], used[slots];

  Ring() {
    cudaStreamCreate(&stream);
    for (int i = 0; i < slots; ++i) {
      cudaMallocHost(reinterpret_cast<void**>(&here[i]), bytes);
      cudaMalloc(reinterpret_cast<void**>(&there[i]), bytes);
      cudaEventCreate(&copied[i]);
      cudaEventCreate(&used[i]);
    }
  }
};

// Sends batches of one value each through the card and back.
struct Flow {
  Fault fault;
  Ring up, down;
  cudaStream_t queue;
  char* scratch;
  std::vector<char> got;
  std::string said;  // by the runtime, first

  explicit Flow(Fault fault) : fault(fault) {
    cudaStreamCreate(&queue);
    cudaMalloc(reinterpret_cast<void**>(&scratch), bytes);
  }

  void note(cudaError_t error) {
    if (error != cudaSuccess && said.empty()) said = cudaGetErrorString(error);
  }

  void send(int batch) {
    const int slot = batch % slots;
    if (fault != Fault::slot_here_reused) note(cudaEventSynchronize(up.copied[slot]));
    memset(up.here[slot], batch + 1, bytes);
    if (fault != Fault::slot_there_reused) cudaStreamWaitEvent(up.stream, up.used[slot]);
    cudaMemcpyAsync(up.there[slot], up.here[slot], bytes, cudaMemcpyHostToDevice, up.stream);
    cudaEventRecord(up.copied[slot], up.stream);
    if (fault != Fault::upload_not_awaited) cudaStreamWaitEvent(queue, up.copied[slot]);
    cudaMemcpyAsync(scratch, up.there[slot], bytes, cudaMemcpyDeviceToDevice, queue);
    cudaEventRecord(up.used[slot], queue);
  }

  void receive(int batch) {
    const int slot = batch % slots;
    if (batch >= slots) look(batch - slots);
    cudaMemcpyAsync(down.there[slot], scratch, bytes, cudaMemcpyDeviceToDevice, queue);
    cudaEventRecord(down.used[slot], queue);
    if (fault != Fault::download_not_awaited) cudaStreamWaitEvent(down.stream, down.used[slot]);
    cudaMemcpyAsync(down.here[slot], down.there[slot], bytes, cudaMemcpyDeviceToHost, down.stream);
    cudaEventRecord(down.copied[slot], down.stream);
  }

  void look(int batch) {
    if (fault != Fault::result_read_early) note(cudaEventSynchronize(down.copied[batch % slots]));
    got.push_back(down.here[batch % slots][bytes - 1]);
  }

  // What went wrong first; empty: nothing.
  std::string run() {
    for (int batch = 0; batch < batches; ++batch) {
      send(batch);
      receive(batch);
    }
    for (int batch = batches - slots; batch < batches; ++batch) look(batch);
    note(cudaDeviceSynchronize());
    if (!said.empty()) return said;
    for (int batch = 0; batch < batches; ++batch) {
      if (got[batch] != batch + 1) return "wrong data";
    }
    return "";
  }
};

void tell(const char* name, Fault fault) {
  int well = 0;
  std::string said;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    emulator::seed(seed);
    const std::string what = Flow(fault).run();
    well += what.empty();
    if (said.empty()) said = what;
  }
  printf("%s: %d %s\n", name, well, said.c_str());
}

}  // namespace

int main() {
  tell("none", Fault::none);
  tell("upload not awaited", Fault::upload_not_awaited);
  tell("slot there reused", Fault::slot_there_reused);
  tell("slot here reused", Fault::slot_here_reused);
  tell("download not awaited", Fault::download_not_awaited);
  tell("result read early", Fault::result_read_early);
}
