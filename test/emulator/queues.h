// Streams as queues of work, the events between them, and what they order.
//
// Work runs when somebody waits, streams taking turns at random. Two copies that touch the same
// bytes, one of them writing, must be ordered by a stream, an event or a wait of the host: whether
// they are is known from clocks, whatever order this run happened to take.
#pragma once
#include <functional>
#include <mutex>
#include <vector>

#include "runtime.h"

namespace emulator {

// Bytes that a copy reads or writes. Those of kernels are watched one by one (memory.h).
struct Touched {
  const void* data;
  size_t bytes;
  bool is_write;
};

struct Work {
  std::function<void()> run;
  std::vector<Touched> touched;
  int after = -1, records = -1;  // an event that must have happened; one that happens here
  uint64_t ticket = 0;           // which of the event's times
  Clock host;                    // what the host knew to be done when it asked
};

// The program has other threads, which take memory while a kernel runs: one of them at a time.
using Locked = std::lock_guard<std::recursive_mutex>;
std::recursive_mutex& queues_mutex();

int add_stream();
int add_event();
// Asks for the work, or writes it down where the stream is being recorded.
void put(int stream, Work work);
void put_record(int stream, int event);
void put_wait(int stream, int event);

// Runs work until the stream (-1: every one) has none left, or the event has happened; the host
// then knows of it. A fault is the error.
cudaError_t drain(int stream);
cudaError_t drain_until(int event);

// The error that is told by the next cudaGetLastError().
cudaError_t keep_error(cudaError_t error, const std::string& text);
cudaError_t last_error();
std::string& error_text();

// What was asked of the stream between these two.
void begin_recording(int stream);
std::vector<Work> end_recording(int stream);
bool is_recording(int stream);
// Whether the calling thread records a stream: it may then neither wait nor take memory.
bool records_here();

}  // namespace emulator
