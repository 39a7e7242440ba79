// Contract: runtime.h.
#include "runtime.h"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "memory.h"

namespace {

struct Work {
  std::function<void()> run;
  int after = -1;    // event that must have happened
  int records = -1;  // event that happens here
  uint64_t ticket = 0;
};

struct Event {
  uint64_t recorded = 0, reached = 0;
};

// The program has other threads, which take memory while a kernel runs: one of them at a time.
std::recursive_mutex mutex;
using Locked = std::lock_guard<std::recursive_mutex>;

std::vector<std::deque<Work>> streams(1);
size_t taken = 0;
std::map<void*, size_t> sizes;
std::vector<Event> events;
cudaError_t last = cudaSuccess;
std::string last_text;

cudaError_t keep(const std::string& text) {
  last_text = text;
  return last = cudaErrorLaunchFailure;
}

// Runs one piece of work of a random stream whose turn has come; false if there is none.
bool run_one() {
  std::vector<int> ready;
  for (int stream = 0; stream < int(streams.size()); ++stream) {
    if (streams[stream].empty()) continue;
    const Work& work = streams[stream].front();
    if (work.after < 0 || events[work.after].reached >= work.ticket) ready.push_back(stream);
  }
  if (ready.empty()) return false;
  const int stream = ready[emulator::random_below(ready.size())];
  Work work = std::move(streams[stream].front());
  streams[stream].pop_front();
  if (work.records >= 0) events[work.records].reached = work.ticket;
  if (work.run) work.run();
  return true;
}

// Every change of the variable begins a new order of things.
void follow_seed() {
  static std::string known = "1";
  const char* text = getenv("EMULATOR_SEED");
  if (!text || known == text) return;
  known = text;
  emulator::seed(strtoull(text, nullptr, 10));
}

size_t capacity() {
  const char* text = getenv("EMULATOR_MEMORY");
  return text ? strtoull(text, nullptr, 10) : size_t(1) << 30;
}

cudaError_t drain(cudaStream_t stream) {
  follow_seed();
  try {
    while (stream < 0 || !streams[stream].empty())
      if (!run_one()) break;
  } catch (const emulator::Failure& failure) {
    for (auto& queue : streams) queue.clear();
    return keep(failure.what());
  }
  return last;
}

}  // namespace

namespace emulator {

void enqueue(const Launch& how, std::shared_ptr<Call> call) {
  const Locked locked(mutex);
  streams[how.stream].push_back(
      {[how, call] { run_grid(how.grid, how.block, how.shared, *call); }});
}

int device_capability() {
  const char* text = getenv("EMULATOR_CAPABILITY");
  return text ? atoi(text) : 90;
}

template <class T>
T exchange_add(T* at, T value) {
  const T before = *at;
  *at = before + value;
  return before;
}
template int exchange_add(int*, int);
template unsigned exchange_add(unsigned*, unsigned);
template unsigned long long exchange_add(unsigned long long*, unsigned long long);
template float exchange_add(float*, float);

}  // namespace emulator

cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) { return cudaDriverGetVersion(version); }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  const int capability = emulator::device_capability();
  *properties = {"emulated card", capability / 10, capability % 10, capacity()};
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int) { return cudaSuccess; }

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const Locked locked(mutex);
  *total = capacity();
  *free = *total > taken ? *total - taken : 0;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  const Locked locked(mutex);
  if (bytes > capacity() || taken > capacity() - bytes) return cudaErrorMemoryAllocation;
  *pointer = emulator::allocate_device(bytes);
  taken += sizes[*pointer] = bytes;
  return cudaSuccess;
}

cudaError_t cudaFree(void* pointer) {
  const Locked locked(mutex);
  if (!pointer) return cudaSuccess;
  drain(-1);
  taken -= sizes[pointer];
  sizes.erase(pointer);
  emulator::free_device(pointer);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  const Locked locked(mutex);
  if (kind == cudaMemcpyHostToDevice) {
    auto held = std::make_shared<std::vector<char>>(static_cast<const char*>(from),
                                                    static_cast<const char*>(from) + bytes);
    streams[stream].push_back({[=] {
      emulator::host_wrote(to, bytes);
      memcpy(to, held->data(), bytes);
    }});
    return last;
  }
  streams[stream].push_back({[=] {
    emulator::expect_device("copy from the device", from, bytes);
    if (kind == cudaMemcpyDeviceToDevice) emulator::host_wrote(to, bytes);
    memcpy(to, from, bytes);
  }});
  return last;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const Locked locked(mutex);
  cudaMemcpyAsync(to, from, bytes, kind, 0);
  return cudaStreamSynchronize(0);
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  const Locked locked(mutex);
  streams[stream].push_back({[=] {
    emulator::host_wrote(to, bytes);
    memset(to, value, bytes);
  }});
  return last;
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  const Locked locked(mutex);
  *stream = int(streams.size());
  streams.emplace_back();
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const Locked locked(mutex);
  drain(stream);
  return cudaGetLastError();
}

cudaError_t cudaDeviceSynchronize() { return cudaStreamSynchronize(-1); }

void forget_contents(void* data, size_t bytes, cudaStream_t stream) {
  const Locked locked(mutex);
  streams[stream].push_back({[=] { emulator::undefine(data, bytes); }});
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  const Locked locked(mutex);
  *event = int(events.size());
  events.emplace_back();
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Locked locked(mutex);
  Work work;
  work.records = event;
  work.ticket = ++events[event].recorded;
  streams[stream].push_back(work);
  return last;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const Locked locked(mutex);
  Work work;
  work.after = event;
  work.ticket = events[event].recorded;
  streams[stream].push_back(work);
  return last;
}

cudaError_t cudaGetLastError() {
  const Locked locked(mutex);
  const cudaError_t error = last;
  last = cudaSuccess;
  return error;
}

const char* cudaGetErrorString(cudaError_t error) { return error ? last_text.c_str() : "no error"; }

emulator::TensorMap tensor_map(const void* data, int64_t rows, int64_t columns, int64_t pitch,
                               int box_rows, int box_columns, bool swizzled) {
  if (reinterpret_cast<uintptr_t>(data) % 16)
    emulator::fail("tensor_map: data is not 16-byte aligned");
  if (pitch * 2 % 16)
    emulator::fail("tensor_map: expected a pitch of whole 16 bytes, got %ld elements", long(pitch));
  if (box_rows > 256 || box_columns > 256)
    emulator::fail("tensor_map: a box is at most 256 wide and high");
  const int line = box_columns * 2;
  if (line % 16 || (swizzled && line != 32 && line != 64 && line != 128))
    emulator::fail("tensor_map: box width %d", box_columns);
  return {const_cast<char*>(static_cast<const char*>(data)),
          uint64_t(rows),
          uint64_t(columns),
          uint64_t(pitch * 2),
          uint32_t(box_rows),
          uint32_t(box_columns),
          2,
          swizzled};
}
