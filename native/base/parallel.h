// A pool of threads and a loop over it.
//
// Items are handed out one by one, so their order in time is not fixed: an item may write only what
// is its own, and no result may depend on which worker ran it. The pool looks at the cancel flag
// before every item; an item should take a few milliseconds at most.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <thread>
#include <vector>

#include "arena.h"
#include "card.h"
#include "error.h"

namespace inbatch {

class Pool {
 public:
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return threads_; }
  Arena& scratch(int worker) { return *scratch_[size_t(worker)]; }

  using Body = void (*)(void* context, int64_t item, int worker);
  // Runs body(context, item, worker) for every item; the calling thread is worker 0.
  void run(int64_t count, Body body, void* context, const std::atomic<bool>* cancelled);

 private:
  void work(int worker);
  void take_items(int worker);
  void keep_error();

  int threads_;
  std::vector<std::thread> workers_;
  std::vector<std::unique_ptr<Arena>> scratch_;
  std::atomic<uint32_t> round_{0};
  std::atomic<int> busy_{0};
  std::atomic<bool> stop_{false}, failed_{false};
  std::atomic<int64_t> next_{0};
  int64_t count_ = 0;
  Body body_ = nullptr;
  void* context_ = nullptr;
  const std::atomic<bool>* cancelled_ = nullptr;
  std::exception_ptr error_;
};

// Where work runs: a device's pool, one worker of it alone, or the queue of a card. What is asked
// of a card happens in the order of its queue, and only wait() waits for it.
struct Stream {
  Place place = Place::Cpu;
  Pool* pool = nullptr;
  int worker = -1;  // -1: all workers of the pool; otherwise this one, in the calling thread
  const std::atomic<bool>* cancelled = nullptr;
  const std::atomic<bool>* wanted = nullptr;
  Card* card = nullptr;  // when place is Cuda; loops and scratch(worker) stay on this machine

  int threads() const { return worker < 0 ? pool->threads() : 1; }
  bool is_cancelled() const { return cancelled && cancelled->load(std::memory_order_relaxed); }
  // Whether others wait for the device: long work that can be taken up again may stop here.
  bool is_wanted() const { return wanted && wanted->load(std::memory_order_relaxed); }
  Stream alone(int w) const { return {place, pool, w, cancelled, wanted, card}; }

  Arena& scratch(int self) const { return pool->scratch(self); }
  // Scratch of the place: on this machine of the calling thread, for what the items of a loop
  // share.
  Arena& scratch() const { return card ? card->scratch() : pool->scratch(worker < 0 ? 0 : worker); }

  // Copies between this machine's memory and that of the place, within it, and zeros. On a card
  // `from` of an upload may be reused at once, `to` of a download holds nothing before wait().
  void upload(void* to, const void* from, size_t bytes) const {
    card ? card->upload(to, from, bytes) : copy_bytes(to, from, bytes);
  }
  void download(void* to, const void* from, size_t bytes) const {
    card ? card->download(to, from, bytes) : copy_bytes(to, from, bytes);
  }
  void copy(void* to, const void* from, size_t bytes) const {
    card ? card->copy(to, from, bytes) : copy_bytes(to, from, bytes);
  }
  void clear(void* to, size_t bytes) const {
    if (bytes > 0) card ? card->clear(to, bytes) : void(std::memset(to, 0, bytes));
  }
  // Returns when all of this is done; throws what went wrong on the card since the last wait.
  void wait() const {
    if (card) card->wait();
  }

  // body(item, worker). What an item pushes on scratch(worker) is released after it.
  template <class F>
  void parallel_for(int64_t count, F&& body) const {
    if (worker >= 0 || count <= 1 || pool->threads() == 1) return alone_for(count, body);
    struct Context {
      F& body;
      Pool* pool;
    } context{body, pool};
    pool->run(
        count,
        [](void* raw, int64_t item, int self) {
          auto& the = *static_cast<Context*>(raw);
          Scope scope(the.pool->scratch(self));
          the.body(item, self);
        },
        &context, cancelled);
  }

 private:
  static void copy_bytes(void* to, const void* from, size_t bytes) {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }

  template <class F>
  void alone_for(int64_t count, F&& body) const {
    const int self = worker < 0 ? 0 : worker;
    for (int64_t item = 0; item < count; ++item) {
      if (is_cancelled()) throw Cancelled();
      Scope scope(pool->scratch(self));
      body(item, self);
    }
  }
};

}  // namespace inbatch
