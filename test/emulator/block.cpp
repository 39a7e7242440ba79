// Contract: block.h. One loop: land a copy now and then, pick a runnable thread, let it run until
// it waits.
#include "block.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "async.h"
#include "memory.h"
#include "warp.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace emulator {

Block block;
Thread* current = nullptr;

namespace {

Fiber scheduler;
std::string failure;
bool failed;
// Hooks also see the instrumented inline functions that other threads of the program run.
thread_local bool kernel_runs;
uint64_t state = 0x9e3779b97f4a7c15;
bool favour_one;  // this block runs one thread as far as it can go before the next
int patience;     // a tensor copy lands at one in so many steps; 0: only when all threads wait

struct NamedBarrier {
  int arrived = 0, expected = 0;
  Clock clock;
  std::vector<Thread*> waiting, all;
};
NamedBarrier named[16];

std::string format_list(const char* format, va_list list) {
  char text[2048];
  vsnprintf(text, sizeof text, format, list);
  return text;
}

void entry() {
  leave();
  block.call->run();
  enter();
  check_drained(*current);
  current->done = true;
  switch_to(*current, scheduler);
}

void start_block(dim3 threads, size_t shared_bytes) {
  block.threads = threads.x * threads.y * threads.z;
  block.agents = block.threads + maximum_mbarriers;
  block.shared_bytes = shared_bytes;
  if (int(block.thread.size()) < block.threads) block.thread.resize(block.threads);
  block.runnable.clear();
  for (int id = 0; id < block.threads; ++id) {
    Thread& thread = block.thread[id];
    if (!thread.stack) allocate(thread);
    prepare(thread, entry);
    thread.id = id;
    thread.index = {id % threads.x, id / threads.x % threads.y, id / threads.x / threads.y};
    thread.done = false;
    thread.waits_for = nullptr;
    thread.proxy_fence = 0;
    thread.clock.assign(block.agents, 0);
    thread.clock[id] = 1;
    block.runnable.push_back(id);
  }
  for (NamedBarrier& barrier : named) barrier = {};
  favour_one = random_below(2);
  patience = std::array{0, 2, 16}[random_below(3)];
  reset_shared();
  reset_warps();
  reset_async();
}

std::string deadlock() {
  std::map<std::string, std::vector<int>> groups;
  for (int id = 0; id < block.threads; ++id) {
    const Thread& thread = block.thread[id];
    const std::string text =
        thread.done ? "have ended"
                    : std::string("wait at ") + thread.waits_for + ", " + describe(thread.where);
    groups[text].push_back(id);
  }
  std::string text = "deadlock:";
  for (const auto& [what, ids] : groups)
    text += "\n  " + std::to_string(ids.size()) + " threads (" + std::to_string(ids.front()) +
            " to " + std::to_string(ids.back()) + ") " + what;
  return text;
}

void run_block() {
  int alive = block.threads, last = -1;
  while (alive > 0 && !failed) {
    const bool idle = block.runnable.empty();
    if (copies_in_flight() && (idle || (patience && random_below(patience) == 0))) {
      land_a_copy();
      continue;
    }
    if (idle) {
      failure = deadlock();
      failed = true;
      break;
    }
    int at = random_below(block.runnable.size());
    if (favour_one && last >= 0) {
      const auto found = std::find(block.runnable.begin(), block.runnable.end(), last);
      if (found != block.runnable.end()) at = found - block.runnable.begin();
    }
    last = block.runnable[at];
    block.runnable[at] = block.runnable.back();
    block.runnable.pop_back();
    current = &block.thread[last];
    threadIdx = current->index;
    switch_to(scheduler, *current);
    if (current->done) --alive;
    current = nullptr;
  }
  current = nullptr;
  while (!failed && copies_in_flight()) land_a_copy();
}

}  // namespace

void enter() { kernel_runs = false; }
void leave() { kernel_runs = true; }
bool in_kernel() { return kernel_runs; }

void fail(const char* format, ...) {
  enter();
  va_list list;
  va_start(list, format);
  std::string text = format_list(format, list);
  va_end(list);
  if (!current) {
    if (block.first_of_launch == 0) throw Failure(text);
    if (!failed) failure = text;  // found while a copy lands, on the scheduler's own stack
    failed = true;
    throw Failure(failure);
  }
  failure = text + "\n  by " + describe_thread(current->id);
  failed = true;
  switch_to(*current, scheduler);  // the fiber is abandoned: nothing on it owns anything
  abort();
}

std::string describe(const Where& where) {
  const std::string file = where.file;
  return file.substr(file.rfind('/') + 1) + ":" + std::to_string(where.line);
}

std::string describe_thread(int id) {
  char text[128];
  snprintf(text, sizeof text, "thread %d (warp %d, lane %d) of block (%u, %u, %u)", id, id / 32,
           id % 32, blockIdx.x, blockIdx.y, blockIdx.z);
  return text;
}

void seed(uint64_t value) { state = value * 0xbf58476d1ce4e5b9 + 0x94d049bb133111eb; }

uint32_t random_below(uint32_t bound) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return uint32_t((state >> 32) * bound >> 32);
}

void suspend(const char* waits_for, const Where& where) {
  current->waits_for = waits_for;
  current->where = where;
  Thread* me = current;
  switch_to(*me, scheduler);
}

void wake(Thread& thread) {
  thread.waits_for = nullptr;
  block.runnable.push_back(thread.id);
}

void join(Clock& into, const Clock& from) {
  if (into.size() < from.size()) into.resize(from.size());
  for (size_t i = 0; i < from.size(); ++i) into[i] = std::max(into[i], from[i]);
}

void release(Thread& thread, Clock& into) {
  join(into, thread.clock);
  ++thread.clock[thread.id];
}

void acquire(Thread& thread, const Clock& from) { join(thread.clock, from); }

// The last to arrive opens the barrier: it takes all clocks together and hands them to those who
// waited.
void barrier(int id, int threads, bool wait, const Where& where) {
  NamedBarrier& here = named[id];
  if (threads <= 0 || threads % 32 || threads > block.threads)
    if (id)
      fail("named barrier %d: expected a number of whole warps of the block, got %d threads", id,
           threads);
  if (here.arrived && here.expected != threads)
    fail("named barrier %d: %d threads expected here, %d elsewhere; %s", id, threads, here.expected,
         describe(where).c_str());
  here.expected = threads;
  ++here.arrived;
  release(*current, here.clock);
  if (wait) here.waiting.push_back(current);
  if (here.arrived < threads) {
    if (wait) suspend(id ? "named barrier" : "__syncthreads", where);
    return;
  }
  const NamedBarrier open = std::move(here);
  here = {};
  for (Thread* thread : open.waiting) {
    acquire(*thread, open.clock);
    if (thread != current) wake(*thread);
  }
}

void run_grid(dim3 grid, dim3 threads, size_t shared_bytes, const Call& call) {
  if (threads.x * threads.y * threads.z > 1024) fail("launch: at most 1024 threads a block");
  if (shared_bytes > maximum_shared)
    fail("launch: %zu bytes of shared memory, at most %zu", shared_bytes, maximum_shared);
  block.call = &call;
  failed = false;
  gridDim = grid;
  blockDim = threads;
  const uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z;
  block.first_of_launch = block.serial + 1;
  std::vector<uint32_t> order(blocks);
  for (uint64_t i = 0; i < blocks; ++i) order[i] = i;
  for (uint64_t i = blocks; i > 1; --i) std::swap(order[i - 1], order[random_below(i)]);
  for (uint32_t at : order) {
    ++block.serial;
    blockIdx = {at % grid.x, at / grid.x % grid.y, at / grid.x / grid.y};
    try {
      start_block(threads, shared_bytes);
      run_block();
    } catch (const Failure&) {
      failed = true;
    }
    current = nullptr;
    if (failed) break;
  }
  block.first_of_launch = 0;
  if (failed) throw Failure(failure);
}

}  // namespace emulator
