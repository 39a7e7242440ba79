// The device thread, its jobs, and how their ends come back to JavaScript.
//
// An Engine is a thread that runs jobs, one at a time, with one pool or on one card. Engines are
// shared by the process, one per number of threads and one per card, and never destroyed.
// Everything JavaScript owns belongs to an Environment (one per Node environment): its jobs are
// cancelled and waited for when the environment ends.
//
// The jobs of a lane (a device as JavaScript holds it, and the models on it) run in order, except
// that calls, which only read, do not wait for other calls. Beyond that lanes and calls take turns:
// who has had the device for a turn goes behind all who wait by then.
//
// A card is kept full: a call is begun while it still computes the calls before, and finished when
// its own results are there. Any other job waits until none is under way.
#pragma once

#include <napi.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "../base/parallel.h"
#include "memory.h"

namespace inbatch {

using Flag = std::shared_ptr<std::atomic<bool>>;

class Engine;
class Environment;

struct Lane {
  explicit Lane(Engine& on) : engine(on) {}
  Engine& engine;
  std::optional<Error> failure;  // of work that nobody awaited
  double seconds = 0;            // of the present turn
};

struct Job {
  std::function<void(const Stream&)> work;
  // What is left to do when all that the work asked for is done; may be empty. Of a call on a card
  // others begin before that.
  std::function<void()> finish;
  std::function<Napi::Value(Napi::Env)> result;  // on the JavaScript thread; may be empty
  Flag cancelled;                                // may be null
  Environment* environment = nullptr;
  std::shared_ptr<Lane> lane;
  const void* call = nullptr;               // the call that it is a part of, if it only reads
  bool has_more = false;                    // set by the work: to be called again in a later turn
  uint64_t place = 0;                       // in the order of turns
  uint64_t mark = 0;                        // of a card: where what it asked for ends
  napi_deferred deferred = nullptr;         // null: nobody waits
  std::vector<Napi::ObjectReference> held;  // JavaScript objects the work writes to
  std::optional<Error> error;
};

class Engine {
 public:
  static Engine& of(int threads);
  // Throws DEVICE_UNAVAILABLE when this machine has no such card, or it cannot be used.
  static Engine& of_card(int index);
  // The thread that asks the driver of cards, which may take its time.
  static Engine& of_driver();

  void submit(std::unique_ptr<Job> job);
  // Cancels all jobs of the environment; returns when none is queued or running.
  void drain(Environment* environment);
  Pool& pool() { return pool_; }
  // Memory of the device, and of this machine for what is on its way there.
  Memory& memory() { return card_ ? card_memory_ : memory_; }
  MemorySource& source() { return card_ ? static_cast<MemorySource&>(*card_) : host_memory(); }
  Memory& staging() { return memory_; }
  Card* card() { return card_; }

 private:
  explicit Engine(int threads) : pool_(threads) {}
  explicit Engine(Card& card) : pool_(1), card_(&card), card_memory_(card) {
    card.when_short = [this] { card_memory_.give_back(); };
  }
  static Engine& start(Engine* engine);
  using Jobs = std::deque<std::unique_ptr<Job>>;
  void loop();
  // The next job; null when one under way is to be finished first.
  std::unique_ptr<Job> take_job();
  void begin(std::unique_ptr<Job> job);
  void finish_first();
  void settle(std::unique_ptr<Job> job);
  void perform(Job& job);
  bool stays_under_way(const Job& job) const { return card_ && job.finish && !job.error; }
  Jobs::iterator next_job();
  void end_turn(const Job& job, double seconds);

  Pool pool_;
  Card* card_ = nullptr;
  Memory memory_, card_memory_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Jobs jobs_;       // as they were queued
  Jobs under_way_;  // calls that a card computes, as they were begun
  const Job* running_ = nullptr;
  std::atomic<bool> wanted_{false};  // by a job that may go before what is left of the running one
  Environment* serving_ = nullptr;   // until the end of its job is told
  Flag serving_flag_;
  uint64_t places_ = 0;
};

class Environment {
 public:
  explicit Environment(Napi::Env env);
  virtual ~Environment() = default;
  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  // Queues work whose end JavaScript awaits.
  Napi::Promise await(Napi::Env env, std::shared_ptr<Lane> lane, std::unique_ptr<Job> job);
  // Queues work that nobody awaits; its failure rejects the next awaited one of its lane.
  void queue(std::shared_ptr<Lane> lane, std::unique_ptr<Job> job);

  void finished(std::unique_ptr<Job> job);  // on the device thread
  bool is_closing() const { return closing_.load(); }
  Napi::Value error_value(Napi::Env env, const Error& error);

  Napi::FunctionReference error_class;

 private:
  static void settle(Napi::Env env, Napi::Function, Environment* environment, Job* job);
  static void close(Environment* environment);
  using Completion = Napi::TypedThreadSafeFunction<Environment, Job, &Environment::settle>;

  Completion completion_;
  std::atomic<bool> closing_{false};
  int pending_ = 0;
  std::mutex mutex_;
  std::vector<Engine*> engines_;
};

// Runs body and turns an Error into a JavaScript exception; the value is then undefined.
template <class F>
Napi::Value guarded(Napi::Env env, F body) {
  try {
    return body();
  } catch (const Error& error) {
    napi_throw(env, Environment::of(env).error_value(env, error));
  } catch (const std::exception& error) {
    napi_throw(env, Environment::of(env).error_value(env, Error("INTERNAL", error.what())));
  }
  return env.Undefined();
}

}  // namespace inbatch
