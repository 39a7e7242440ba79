// Contract: queues.h.
#include "queues.h"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <thread>

#include "memory.h"

namespace emulator {
namespace {

struct Queue {
  std::deque<Work> work;
  Clock clock;  // how much of each stream is done before what runs here next
  std::unique_ptr<std::vector<Work>> recording;
  std::thread::id recorder;
};

struct Event {
  uint64_t recorded = 0, reached = 0;
  Clock clock;
};

// A copy that ran: the count-th piece of work of its stream.
struct Access {
  const char *begin, *end;
  bool is_write;
  int stream;
  uint32_t count;
};

std::deque<Queue> queues(1);
std::vector<Event> events;
Clock host_clock;
std::vector<Access> accesses;
cudaError_t last = cudaSuccess;
std::string text;

void join_clocks(Clock& into, const Clock& from) {
  if (into.size() < from.size()) into.resize(from.size());
  for (size_t i = 0; i < from.size(); ++i) into[i] = std::max(into[i], from[i]);
}

bool is_before(const Access& access, const Clock& clock) {
  return size_t(access.stream) < clock.size() && clock[access.stream] >= access.count;
}

void note_access(int stream, const Touched& touched) {
  const auto* begin = static_cast<const char*>(touched.data);
  const Access own{begin, begin + touched.bytes, touched.is_write, stream,
                   queues[stream].clock[stream]};
  for (const Access& other : accesses) {
    const bool overlaps = other.begin < own.end && own.begin < other.end;
    if (!overlaps || !(own.is_write || other.is_write)) continue;
    if (is_before(other, queues[stream].clock)) continue;
    fail("copies that nothing orders: one that %s %zu bytes on stream %d, one that %s them on %d",
         own.is_write ? "writes" : "reads", touched.bytes, stream,
         other.is_write ? "writes" : "reads", other.stream);
  }
  // A write stands for what it covers.
  std::erase_if(accesses, [&](const Access& other) {
    return own.is_write && own.begin <= other.begin && other.end <= own.end;
  });
  accesses.push_back(own);
}

void run_work(int stream, Work work) {
  Queue& queue = queues[stream];
  join_clocks(queue.clock, work.host);
  if (work.after >= 0) join_clocks(queue.clock, events[work.after].clock);
  if (queue.clock.size() <= size_t(stream)) queue.clock.resize(stream + 1);
  ++queue.clock[stream];
  for (const Touched& touched : work.touched) note_access(stream, touched);
  if (work.records >= 0) {
    events[work.records].reached = work.ticket;
    events[work.records].clock = queue.clock;
  }
  if (work.run) work.run();
}

// Runs one piece of work of a random stream whose turn has come; false if there is none.
bool run_one() {
  std::vector<int> ready;
  for (int stream = 0; stream < int(queues.size()); ++stream) {
    if (queues[stream].work.empty()) continue;
    const Work& work = queues[stream].work.front();
    if (work.after < 0 || events[work.after].reached >= work.ticket) ready.push_back(stream);
  }
  if (ready.empty()) return false;
  const int stream = ready[random_below(ready.size())];
  Work work = std::move(queues[stream].work.front());
  queues[stream].work.pop_front();
  run_work(stream, std::move(work));
  return true;
}

// Every change of the variable begins a new order of things.
void follow_seed() {
  static std::string known = "1";
  const char* value = getenv("EMULATOR_SEED");
  if (!value || known == value) return;
  known = value;
  seed(strtoull(value, nullptr, 10));
}

// What is queued goes with a fault; nobody waits for it any more.
cudaError_t give_up(const char* what) {
  for (Queue& queue : queues) queue.work.clear();
  for (Event& event : events) event.reached = event.recorded;
  accesses.clear();
  return keep_error(cudaErrorLaunchFailure, what);
}

template <class Done>
cudaError_t run_until(Done done) {
  follow_seed();
  try {
    while (!done() && run_one()) {
    }
  } catch (const Failure& failure) {
    return give_up(failure.what());
  }
  return last;
}

// Copies before which the host asks for nothing any more need not be remembered.
void forget_accesses() {
  const bool is_idle = std::all_of(queues.begin(), queues.end(),
                                   [](const Queue& queue) { return queue.work.empty(); });
  if (is_idle) std::erase_if(accesses, [](const Access& a) { return is_before(a, host_clock); });
}

}  // namespace

std::recursive_mutex& queues_mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

int add_stream() {
  queues.emplace_back();
  return int(queues.size()) - 1;
}

int add_event() {
  events.emplace_back();
  return int(events.size()) - 1;
}

void put(int stream, Work work) {
  Queue& queue = queues[stream];
  const bool is_recorded = queue.recording && queue.recorder == std::this_thread::get_id();
  if (is_recorded) return queue.recording->push_back(std::move(work));
  work.host = host_clock;
  queue.work.push_back(std::move(work));
}

void put_record(int stream, int event) {
  Work work;
  work.records = event;
  work.ticket = ++events[event].recorded;
  put(stream, work);
}

void put_wait(int stream, int event) {
  Work work;
  work.after = event;
  work.ticket = events[event].recorded;
  put(stream, work);
}

cudaError_t drain(int stream) {
  const cudaError_t error = run_until([&] { return stream >= 0 && queues[stream].work.empty(); });
  for (int i = 0; i < int(queues.size()); ++i) {
    if (stream < 0 || i == stream) join_clocks(host_clock, queues[i].clock);
  }
  forget_accesses();
  return error;
}

cudaError_t drain_until(int event) {
  const uint64_t ticket = events[event].recorded;
  const cudaError_t error = run_until([&] { return events[event].reached >= ticket; });
  join_clocks(host_clock, events[event].clock);
  forget_accesses();
  return error;
}

cudaError_t keep_error(cudaError_t error, const std::string& what) {
  text = what;
  return last = error;
}

cudaError_t last_error() {
  const cudaError_t error = last;
  last = cudaSuccess;
  return error;
}

std::string& error_text() { return text; }

void begin_recording(int stream) {
  queues[stream].recording = std::make_unique<std::vector<Work>>();
  queues[stream].recorder = std::this_thread::get_id();
}

std::vector<Work> end_recording(int stream) {
  const auto recording = std::move(queues[stream].recording);
  return std::move(*recording);
}

bool is_recording(int stream) { return queues[stream].recording != nullptr; }

bool records_here() {
  return std::any_of(queues.begin(), queues.end(), [](const Queue& queue) {
    return queue.recording && queue.recorder == std::this_thread::get_id();
  });
}

}  // namespace emulator
