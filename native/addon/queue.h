// The device thread, its jobs, and how their ends come back to JavaScript.
//
// An Engine is one queue: a thread that runs jobs in order, with a pool for each of them. Engines
// are shared by the process, one per number of threads, and never destroyed. Everything JavaScript
// owns belongs to an Environment (one per Node environment): its jobs are cancelled and waited for
// when the environment ends.
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

class Environment;

struct Job {
  std::function<void(const Stream&)> work;
  std::function<Napi::Value(Napi::Env)> result;  // on the JavaScript thread; may be empty
  Flag cancelled;                                // may be null
  Environment* environment = nullptr;
  std::optional<Napi::Promise::Deferred> deferred;  // empty: nobody waits
  std::vector<Napi::ObjectReference> held;          // JavaScript objects the work writes to
  std::optional<Error> error;
};

class Engine {
 public:
  static Engine& of(int threads);

  void submit(std::unique_ptr<Job> job);
  // Cancels all jobs of the environment; returns when none is queued or running.
  void drain(Environment* environment);
  Pool& pool() { return pool_; }
  Memory& memory() { return memory_; }

 private:
  explicit Engine(int threads) : pool_(threads) {}
  void loop();
  void perform(Job& job);

  Pool pool_;
  Memory memory_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Job>> jobs_;
  Environment* running_ = nullptr;
  Flag running_flag_;
};

class Environment {
 public:
  explicit Environment(Napi::Env env);
  virtual ~Environment() = default;
  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  // Queues work whose end JavaScript awaits.
  Napi::Promise await(Napi::Env env, Engine& engine, std::unique_ptr<Job> job);
  // Queues work that nobody awaits; its failure rejects the next awaited one.
  void queue(Engine& engine, std::unique_ptr<Job> job);

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
  std::optional<Error> failure_;  // of work that nobody awaited
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
