// What launchers need of the CUDA runtime: memory, copies, streams, events, launches. Work queued
// on a stream runs when somebody waits, streams taking turns at random, so a missing wait shows as
// wrong data or is reported (queues.h). A fault is the error of the next wait, and of that one
// only.
//
// The environment chooses: EMULATOR_SEED the order of things (default 1), EMULATOR_MEMORY the bytes
// of the card (default 2^30), EMULATOR_CAPABILITY what it can do (default 90), EMULATOR_UNCHECKED
// values without the checks of memory, EMULATOR_START the milliseconds that the driver takes to
// start.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>

#include "async.h"
#include "block.h"

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorLaunchFailure = 719,
  cudaErrorStreamCaptureUnsupported = 900
};
enum cudaMemcpyKind {
  cudaMemcpyHostToDevice = 1,
  cudaMemcpyDeviceToHost = 2,
  cudaMemcpyDeviceToDevice = 3
};
using cudaStream_t = int;  // 0 is the default stream
using cudaEvent_t = int;
using cudaGraph_t = struct Graph*;
using cudaGraphExec_t = struct Graph*;
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2;

struct cudaDeviceProp {
  char name[256];
  int major, minor;
  size_t totalGlobalMem;
};

cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaMalloc(void** pointer, size_t bytes);
cudaError_t cudaFree(void* pointer);
// Pinned memory of this machine: copies to and from it land late. What the host does to it until
// then is a fault, or shows as wrong data.
cudaError_t cudaMallocHost(void** pointer, size_t bytes);
cudaError_t cudaFreeHost(void* pointer);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreate(cudaStream_t* stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags = 0);
cudaError_t cudaEventCreate(cudaEvent_t* event);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
// Launches, copies and zeros of one stream, written down and asked for again as they were: kernels
// with the values of their arguments, copies with the bytes that lie there by then.
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, uint64_t flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaGetLastError();
const char* cudaGetErrorString(cudaError_t error);

struct Launch {
  dim3 grid, block;
  size_t shared = 0;
  cudaStream_t stream = 0;
};

namespace emulator {

void enqueue(const Launch& how, std::shared_ptr<Call> call);
int device_capability();  // 90, or EMULATOR_CAPABILITY

template <class... Parameters>
struct Bound : Call {
  void (*kernel)(Parameters...);
  std::tuple<std::remove_cv_t<Parameters>...> arguments;
  Bound(void (*kernel)(Parameters...), Parameters... arguments)
      : kernel(kernel), arguments(arguments...) {
    bytes = sizeof(*this);
  }
  void run() const override { std::apply(kernel, arguments); }
};

// A host copy in uninstrumented code, after touch has checked it.
template <class T>
T exchange_add(T* at, T value);

}  // namespace emulator

template <class... Parameters, class... Arguments>
void launch(const Launch& how, void (*kernel)(Parameters...), const Arguments&... arguments) {
  emulator::enqueue(
      how, std::make_shared<emulator::Bound<Parameters...>>(kernel, Parameters(arguments)...));
}

// A row-major matrix (rows, columns) of 16-bit elements, its rows `pitch` elements apart, cut into
// boxes.
emulator::TensorMap tensor_map(const void* data, int64_t rows, int64_t columns, int64_t pitch,
                               int box_rows, int box_columns, bool swizzled);
// What these bytes hold matters no longer: from here on reading them is an error.
void forget_contents(void* data, size_t bytes, cudaStream_t stream);

inline int device_capability() { return emulator::device_capability(); }
// Few and odd, so that blocks which take several pieces of work do so here too.
inline int multiprocessors() { return 3; }
