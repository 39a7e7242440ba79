// The device thread and its jobs. See queue.h.
#include "queue.h"

#include <dlfcn.h>

#include <algorithm>
#include <map>
#include <new>

namespace inbatch {
namespace {

// Node unloads an add-on with the last worker that loaded it; the code that our threads run must
// stay.
void stay_loaded() {
  Dl_info self;
  if (!dladdr(reinterpret_cast<void*>(&stay_loaded), &self) ||
      !dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE)) {
    throw Error("INTERNAL", "add-on: expected to find its own file");
  }
}

}  // namespace

Engine& Engine::of(int threads) {
  static std::mutex mutex;
  static auto* engines = new std::map<int, Engine*>;  // never destroyed: threads outlive main
  const std::lock_guard lock(mutex);
  Engine*& engine = (*engines)[threads];
  if (!engine) {
    stay_loaded();
    engine = new Engine(threads);
    std::thread([self = engine] { self->loop(); }).detach();
  }
  return *engine;
}

void Engine::submit(std::unique_ptr<Job> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
}

void Engine::loop() {
  for (;;) {
    std::unique_ptr<Job> job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !jobs_.empty(); });
      job = std::move(jobs_.front());
      jobs_.pop_front();
      running_ = job->environment;
      running_flag_ = job->cancelled;
    }
    Environment* environment = job->environment;
    perform(*job);
    environment->finished(std::move(job));
    {
      const std::lock_guard lock(mutex_);
      running_ = nullptr;
    }
    changed_.notify_all();
  }
}

void Engine::perform(Job& job) {
  const Stream stream{Place::Cpu, &pool_, -1, job.cancelled.get()};
  try {
    if (job.environment->is_closing() || stream.is_cancelled()) throw Cancelled();
    job.work(stream);
    job.work = nullptr;  // lets go of what it held, in the order of the queue
  } catch (const Error& error) {
    job.error = error;
  } catch (const Cancelled&) {
    job.error = Error("CANCELLED", "cancelled");
  } catch (const std::bad_alloc&) {
    job.error = Error("OUT_OF_MEMORY", "memory: the system has none left");
  } catch (const std::exception& error) {
    job.error = Error("INTERNAL", error.what());
  }
  job.work = nullptr;
}

void Engine::drain(Environment* environment) {
  std::unique_lock lock(mutex_);
  for (const auto& job : jobs_) {
    if (job->environment == environment) job->cancelled->store(true);
  }
  if (running_ == environment) running_flag_->store(true);
  changed_.wait(lock, [&] {
    const bool queued = std::any_of(jobs_.begin(), jobs_.end(), [&](const auto& job) {
      return job->environment == environment;
    });
    return !queued && running_ != environment;
  });
}

Environment::Environment(Napi::Env env) {
  completion_ = Completion::New(env, "inbatch", 0, 1, this);
  completion_.Unref(env);
  env.AddCleanupHook(&Environment::close, this);
}

void Environment::close(Environment* environment) {
  environment->closing_.store(true);
  std::vector<Engine*> engines;
  {
    const std::lock_guard lock(environment->mutex_);
    engines = environment->engines_;
  }
  for (Engine* engine : engines) engine->drain(environment);
  environment->completion_.Abort();
}

Napi::Value Environment::error_value(Napi::Env env, const Error& error) {
  const auto message = Napi::String::New(env, error.what());
  if (!error_class.IsEmpty()) {
    return error_class.New({Napi::String::New(env, error.code()), message});
  }
  Napi::Error plain = Napi::Error::New(env, error.what());
  plain.Value().Set("code", error.code());
  return plain.Value();
}

Napi::Promise Environment::await(Napi::Env env, Engine& engine, std::unique_ptr<Job> job) {
  job->deferred = Napi::Promise::Deferred::New(env);
  const Napi::Promise promise = job->deferred->Promise();
  if (pending_++ == 0) completion_.Ref(env);
  queue(engine, std::move(job));
  return promise;
}

void Environment::queue(Engine& engine, std::unique_ptr<Job> job) {
  job->environment = this;
  if (!job->cancelled) job->cancelled = std::make_shared<std::atomic<bool>>(false);
  {
    const std::lock_guard lock(mutex_);
    if (std::find(engines_.begin(), engines_.end(), &engine) == engines_.end()) {
      engines_.push_back(&engine);
    }
  }
  engine.submit(std::move(job));
}

void Environment::finished(std::unique_ptr<Job> job) {
  if (!job->deferred) {
    const std::lock_guard lock(mutex_);
    if (job->error && job->error->code() != "CANCELLED" && !failure_) failure_ = job->error;
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (!job->error && failure_) job->error = failure_;
    failure_.reset();
  }
  // Once the environment closes, whatever belongs to JavaScript is beyond touching: it is leaked.
  if (is_closing() || completion_.NonBlockingCall(job.get()) != napi_ok) {
    job.release();
    return;
  }
  job.release();
}

void Environment::settle(Napi::Env env, Napi::Function, Environment* environment, Job* raw) {
  std::unique_ptr<Job> job(raw);
  if (env == nullptr) {
    job.release();
    return;
  }
  const Napi::HandleScope scope(env);
  if (--environment->pending_ == 0) environment->completion_.Unref(env);
  if (job->error) {
    job->deferred->Reject(environment->error_value(env, *job->error));
  } else {
    job->deferred->Resolve(job->result ? job->result(env) : env.Undefined());
  }
}

}  // namespace inbatch
