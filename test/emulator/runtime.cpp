// Contract: runtime.h.
#include "runtime.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <thread>
#include <vector>

#include "memory.h"
#include "queues.h"

using emulator::drain;
using emulator::Locked;
using emulator::put;
using emulator::queues_mutex;

namespace {

size_t taken = 0;
std::map<void*, size_t> sizes, pinned;

size_t capacity() {
  const char* text = getenv("EMULATOR_MEMORY");
  return text ? strtoull(text, nullptr, 10) : size_t(1) << 30;
}

bool is_pinned(const void* data, size_t bytes) {
  auto next = pinned.upper_bound(const_cast<void*>(data));
  if (next == pinned.begin()) return false;
  const auto& [begin, size] = *--next;
  const size_t offset = static_cast<const char*>(data) - static_cast<const char*>(begin);
  return offset < size && size - offset >= bytes;
}

// What a recording thread may not do.
cudaError_t refuse_recorded(const char* what) {
  return emulator::keep_error(cudaErrorStreamCaptureUnsupported,
                              std::string("a thread that records a graph may not ") + what);
}

// Bytes of pinned memory that a copy will fill: until it has, they hold nothing.
constexpr char unfilled = char(0xa5);

uint64_t hash_of(const void* data, size_t bytes) {
  uint64_t hash = 1469598103934665603u;
  for (size_t i = 0; i < bytes; ++i) {
    hash = (hash ^ static_cast<const uint8_t*>(data)[i]) * 1099511628211u;
  }
  return hash;
}

void write_device(void* to, const void* from, size_t bytes) {
  emulator::host_wrote(to, bytes);
  memcpy(to, from, bytes);
}

// From pinned memory as it is when the copy lands, which must be as it was when it was asked for;
// a recorded copy takes what it finds.
emulator::Work upload_pinned(void* to, const void* from, size_t bytes, bool is_recorded) {
  const uint64_t hash = is_recorded ? 0 : hash_of(from, bytes);
  const auto run = [=] {
    if (!is_recorded && hash_of(from, bytes) != hash) {
      emulator::fail("pinned memory was written while a copy of it was under way");
    }
    write_device(to, from, bytes);
  };
  return {run, {{from, bytes, false}, {to, bytes, true}}};
}

// From ordinary memory, which the runtime has read when it returns.
emulator::Work upload_ordinary(void* to, const void* from, size_t bytes) {
  const auto* begin = static_cast<const char*>(from);
  auto held = std::make_shared<std::vector<char>>(begin, begin + bytes);
  return {[=] { write_device(to, held->data(), bytes); }, {{to, bytes, true}}};
}

emulator::Work download(void* to, const void* from, size_t bytes, bool is_watched) {
  if (is_watched) memset(to, unfilled, bytes);
  const auto run = [=] {
    emulator::expect_device("copy from the device", from, bytes);
    const auto* there = static_cast<const char*>(to);
    for (size_t i = 0; is_watched && i < bytes; ++i) {
      if (there[i] != unfilled) {
        emulator::fail("pinned memory was written while a copy into it was under way");
      }
    }
    memcpy(to, from, bytes);
  };
  return {run, {{from, bytes, false}, {to, bytes, true}}};
}

}  // namespace

namespace emulator {

void enqueue(const Launch& how, std::shared_ptr<Call> call) {
  const Locked locked(queues_mutex());
  put(how.stream, {[how, call] { run_grid(how.grid, how.block, how.shared, *call); }});
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
  const char* text = getenv("EMULATOR_START");
  std::this_thread::sleep_for(std::chrono::milliseconds(text ? atoi(text) : 0));
  const char* cards = getenv("EMULATOR_CARDS");
  *count = cards ? atoi(cards) : 1;
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  const int capability = emulator::device_capability();
  *properties = {"emulated card", capability / 10, capability % 10, capacity()};
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int) { return cudaSuccess; }

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  const Locked locked(queues_mutex());
  *total = capacity();
  *free = *total > taken ? *total - taken : 0;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  const Locked locked(queues_mutex());
  if (emulator::records_here()) return refuse_recorded("take memory");
  if (bytes > capacity() || taken > capacity() - bytes) return cudaErrorMemoryAllocation;
  *pointer = emulator::allocate_device(bytes);
  taken += sizes[*pointer] = bytes;
  return cudaSuccess;
}

cudaError_t cudaFree(void* pointer) {
  const Locked locked(queues_mutex());
  if (!pointer) return cudaSuccess;
  if (emulator::records_here()) return refuse_recorded("give memory back");
  drain(-1);
  taken -= sizes[pointer];
  sizes.erase(pointer);
  emulator::free_device(pointer);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** pointer, size_t bytes) {
  const Locked locked(queues_mutex());
  *pointer = malloc(bytes);
  pinned[*pointer] = bytes;
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* pointer) {
  const Locked locked(queues_mutex());
  drain(-1);
  pinned.erase(pointer);
  free(pointer);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  const Locked locked(queues_mutex());
  const bool is_recorded = emulator::is_recording(stream);
  if (kind == cudaMemcpyDeviceToDevice) {
    const auto run = [=] { emulator::copy_device(to, from, bytes); };
    put(stream, {run, {{from, bytes, false}, {to, bytes, true}}});
    return cudaSuccess;
  }
  const bool goes_up = kind == cudaMemcpyHostToDevice, late = is_pinned(goes_up ? from : to, bytes);
  if (is_recorded && !late) return refuse_recorded("copy memory that is not pinned");
  if (!goes_up) {
    put(stream, download(to, from, bytes, late && !is_recorded));
  } else if (late) {
    put(stream, upload_pinned(to, from, bytes, is_recorded));
  } else {
    put(stream, upload_ordinary(to, from, bytes));
  }
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const Locked locked(queues_mutex());
  cudaMemcpyAsync(to, from, bytes, kind, 0);
  return cudaStreamSynchronize(0);
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  const Locked locked(queues_mutex());
  const auto run = [=] {
    emulator::host_wrote(to, bytes);
    memset(to, value, bytes);
  };
  put(stream, {run, {{to, bytes, true}}});
  return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  const Locked locked(queues_mutex());
  *stream = emulator::add_stream();
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  return cudaStreamCreate(stream);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const Locked locked(queues_mutex());
  if (emulator::records_here()) return refuse_recorded("wait");
  drain(stream);
  return cudaGetLastError();
}

cudaError_t cudaDeviceSynchronize() { return cudaStreamSynchronize(-1); }

void forget_contents(void* data, size_t bytes, cudaStream_t stream) {
  const Locked locked(queues_mutex());
  put(stream, {[=] { emulator::undefine(data, bytes); }, {{data, bytes, true}}});
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  const Locked locked(queues_mutex());
  *event = emulator::add_event();
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  return cudaEventCreate(event);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Locked locked(queues_mutex());
  if (emulator::is_recording(stream)) return refuse_recorded("record an event in it here");
  emulator::put_record(stream, event);
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const Locked locked(queues_mutex());
  if (emulator::records_here()) return refuse_recorded("wait");
  emulator::drain_until(event);
  return cudaGetLastError();
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const Locked locked(queues_mutex());
  if (emulator::is_recording(stream)) return refuse_recorded("have it wait for an event here");
  emulator::put_wait(stream, event);
  return cudaSuccess;
}

cudaError_t cudaGetLastError() {
  const Locked locked(queues_mutex());
  return emulator::last_error();
}

const char* cudaGetErrorString(cudaError_t error) {
  if (error == cudaErrorMemoryAllocation) return "out of memory";
  return error ? emulator::error_text().c_str() : "no error";
}

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
