// A pool of threads. See parallel.h.
//
// Workers spin for some 50 microseconds after a round and then sleep on the round counter, so that
// the many short rounds of a pass cost no wake-up and an idle process uses no CPU.
#include "parallel.h"

#include <chrono>

namespace inbatch {
namespace {

constexpr auto kSpin = std::chrono::microseconds(50);

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

template <class Ready>
bool spin_until(Ready ready) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; ++i) {
      if (ready()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace

Pool::Pool(int threads) : threads_(threads < 1 ? 1 : threads) {
  for (int i = 0; i < threads_; ++i) scratch_.push_back(std::make_unique<Arena>());
  for (int i = 1; i < threads_; ++i) workers_.emplace_back([this, i] { work(i); });
}

Pool::~Pool() {
  stop_.store(true);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void Pool::keep_error() {
  if (!failed_.exchange(true)) error_ = std::current_exception();
}

void Pool::take_items(int worker) {
  try {
    for (;;) {
      if (failed_.load(std::memory_order_relaxed)) return;
      const int64_t item = next_.fetch_add(1, std::memory_order_relaxed);
      if (item >= count_) return;
      if (cancelled_ && cancelled_->load(std::memory_order_relaxed)) throw Cancelled();
      body_(context_, item, worker);
    }
  } catch (...) {
    keep_error();
  }
}

void Pool::work(int worker) {
  uint32_t seen = 0;
  for (;;) {
    const auto changed = [&] { return round_.load(std::memory_order_acquire) != seen; };
    if (!spin_until(changed)) {
      while (!changed()) round_.wait(seen, std::memory_order_acquire);
    }
    seen = round_.load(std::memory_order_acquire);
    if (stop_.load()) return;
    take_items(worker);
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_one();
  }
}

void Pool::run(int64_t count, Body body, void* context, const std::atomic<bool>* cancelled) {
  if (count <= 0) return;
  count_ = count;
  body_ = body;
  context_ = context;
  cancelled_ = cancelled;
  error_ = nullptr;
  failed_.store(false);
  next_.store(0);
  busy_.store(threads_ - 1);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  take_items(0);
  const auto done = [&] { return busy_.load(std::memory_order_acquire) == 0; };
  if (!spin_until(done)) {
    for (int left; (left = busy_.load(std::memory_order_acquire)) != 0;) busy_.wait(left);
  }
  if (error_) std::rethrow_exception(error_);
}

}  // namespace inbatch
