// The device thread and its jobs. See queue.h.
#include "queue.h"

#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <new>

namespace inbatch {
namespace {

// Of condition_variable, wait() without a time is of libstdc++ 12, and RHEL 9 has 11; a static one
// asks for a glibc that it has not either.
constexpr auto kForever = std::chrono::hours(24);

template <class Ready>
void wait_for(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, Ready ready) {
  while (!changed.wait_for(lock, kForever, ready)) {
  }
}

// A turn of work that cannot stop half-way; what takes less leaves the device to its lane.
constexpr double kTurn = 0.02;

double seconds_since(std::chrono::steady_clock::time_point begun) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

// Calls that a card has before it: one computed, one ready, one whose results are looked at.
constexpr size_t kUnderWay = 3;

// Whether `job` may go before what is left of `other`, which was queued before it.
bool may_overtake(const Job& job, const Job& other) {
  return job.lane != other.lane || (job.call && other.call && job.call != other.call);
}

// An exception on its way out of a job, as an error.
Error error_of_exception() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const Cancelled&) {
    return Error("CANCELLED", "cancelled");
  } catch (const std::bad_alloc&) {
    return Error("OUT_OF_MEMORY", "memory: the system has none left");
  } catch (const std::exception& error) {
    return Error("INTERNAL", error.what());
  }
}

// What failed half-way may have copies under way to memory that its owner takes back now.
void finish_copies(const Stream& stream) {
  try {
    stream.wait();
  } catch (const std::exception&) {  // the job has an error of its own, of which this is a part
  }
}

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
  if (!engine) engine = &start(new Engine(threads));
  return *engine;
}

Engine& Engine::of_card(int index) {
  static std::mutex mutex;
  static auto* engines = new std::map<int, Engine*>;  // never destroyed: threads outlive main
  const std::lock_guard lock(mutex);
  CardDriver* driver = card_driver();
  if (!driver) throw Error("DEVICE_UNAVAILABLE", "device: this build has no CUDA");
  Engine*& engine = (*engines)[index];
  if (!engine) engine = &start(new Engine(driver->open(index)));
  return *engine;
}

Engine& Engine::of_driver() {
  static Engine& engine = start(new Engine(1));
  return engine;
}

Engine& Engine::start(Engine* engine) {
  stay_loaded();
  std::thread([engine] { engine->loop(); }).detach();
  return *engine;
}

void Engine::submit(std::unique_ptr<Job> job) {
  {
    const std::lock_guard lock(mutex_);
    job->place = ++places_;
    if (running_ && may_overtake(*job, *running_)) wanted_.store(true);
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
}

// Of the jobs that wait for no earlier one of their lane, the one with the first place.
Engine::Jobs::iterator Engine::next_job() {
  struct Seen {
    const Lane* lane;
    bool has_writer;  // a job that is no call
  };
  std::vector<Seen> lanes;
  auto next = jobs_.end();
  for (auto job = jobs_.begin(); job != jobs_.end(); ++job) {
    const auto same = [&](const Seen& seen) { return seen.lane == (*job)->lane.get(); };
    auto seen = std::find_if(lanes.begin(), lanes.end(), same);
    const bool is_first = seen == lanes.end();
    if (is_first) seen = lanes.insert(seen, {(*job)->lane.get(), false});
    const bool may_run = is_first || ((*job)->call && !seen->has_writer);
    if (may_run && (next == jobs_.end() || (*job)->place < (*next)->place)) next = job;
    seen->has_writer |= !(*job)->call;
  }
  return next;
}

// Whoever had a whole turn goes behind all who wait.
void Engine::end_turn(const Job& job, double seconds) {
  const bool is_call = job.call != nullptr;
  if (!is_call && (job.lane->seconds += seconds) < kTurn) return;
  job.lane->seconds = is_call ? job.lane->seconds : 0;
  ++places_;
  for (const auto& other : jobs_) {
    if (is_call ? other->call == job.call : !other->call && other->lane == job.lane) {
      other->place = places_;
    }
  }
}

void Engine::loop() {
  for (;;) {
    if (auto job = take_job()) {
      begin(std::move(job));
    } else {
      finish_first();
    }
    changed_.notify_all();
  }
}

std::unique_ptr<Job> Engine::take_job() {
  std::unique_lock lock(mutex_);
  wait_for(changed_, lock, [&] { return !jobs_.empty() || !under_way_.empty(); });
  if (jobs_.empty()) return nullptr;
  const auto next = next_job();
  const bool may_begin = (*next)->call ? under_way_.size() < kUnderWay : under_way_.empty();
  if (!may_begin) return nullptr;
  std::unique_ptr<Job> job = std::move(*next);
  jobs_.erase(next);
  running_ = job.get();
  serving_ = job->environment;
  serving_flag_ = job->cancelled;
  wanted_.store(std::any_of(jobs_.begin(), jobs_.end(),
                            [&](const auto& other) { return may_overtake(*other, *job); }));
  return job;
}

void Engine::begin(std::unique_ptr<Job> job) {
  const auto begun = std::chrono::steady_clock::now();
  perform(*job);
  {
    const std::lock_guard lock(mutex_);
    running_ = nullptr;
    const Job& ended = *job;
    if (job->has_more) {
      // At most calls of its lane were queued before it, so the front is a right place.
      jobs_.push_front(std::move(job));
    } else if (stays_under_way(*job)) {
      under_way_.push_back(std::move(job));
    }
    end_turn(ended, seconds_since(begun));
    if (!job) serving_ = nullptr;
  }
  if (job) settle(std::move(job));
}

void Engine::finish_first() {
  std::unique_ptr<Job> job;
  {
    const std::lock_guard lock(mutex_);
    job = std::move(under_way_.front());
    under_way_.pop_front();
    serving_ = job->environment;
    serving_flag_ = job->cancelled;
  }
  try {
    card_->wait(job->mark);
    job->finish();
  } catch (...) {
    job->error = error_of_exception();
  }
  job->work = nullptr;
  settle(std::move(job));
}

// Tells the end of the job that is served.
void Engine::settle(std::unique_ptr<Job> job) {
  Environment* environment = job->environment;
  environment->finished(std::move(job));
  const std::lock_guard lock(mutex_);
  serving_ = nullptr;
}

void Engine::perform(Job& job) {
  const Stream stream{memory().place(), &pool_, -1, job.cancelled.get(), &wanted_, card_};
  job.has_more = false;
  try {
    if (job.environment->is_closing() || stream.is_cancelled()) throw Cancelled();
    job.work(stream);
    if (job.finish && !job.has_more) card_ ? void(job.mark = card_->mark()) : job.finish();
  } catch (...) {
    job.error = error_of_exception();
    finish_copies(stream);
    job.has_more = false;
  }
  const bool is_done = !job.has_more && !stays_under_way(job);
  if (is_done) job.work = nullptr;  // lets go of what it held, in the order of the queue
}

void Engine::drain(Environment* environment) {
  std::unique_lock lock(mutex_);
  for (const auto& job : jobs_) {
    if (job->environment == environment) job->cancelled->store(true);
  }
  if (serving_ == environment) serving_flag_->store(true);
  wait_for(changed_, lock, [&] {
    const auto has_some = [&](const Jobs& jobs) {
      return std::any_of(jobs.begin(), jobs.end(),
                         [&](const auto& job) { return job->environment == environment; });
    };
    return !has_some(jobs_) && !has_some(under_way_) && serving_ != environment;
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

Napi::Promise Environment::await(Napi::Env env, std::shared_ptr<Lane> lane,
                                 std::unique_ptr<Job> job) {
  // A thread that is being ended makes no promises, and then nobody waits for the work.
  napi_value promise = nullptr;
  if (napi_create_promise(env, &job->deferred, &promise) != napi_ok) return {};
  if (pending_++ == 0) completion_.Ref(env);
  queue(std::move(lane), std::move(job));
  return Napi::Promise(env, promise);
}

void Environment::queue(std::shared_ptr<Lane> lane, std::unique_ptr<Job> job) {
  Engine& engine = lane->engine;
  job->environment = this;
  job->lane = std::move(lane);
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
    std::optional<Error>& failure = job->lane->failure;
    if (job->error && job->error->code() != "CANCELLED" && !failure) failure = job->error;
    return;
  }
  if (!job->call) {
    const std::lock_guard lock(mutex_);
    std::optional<Error>& failure = job->lane->failure;
    if (!job->error && failure) job->error = failure;
    failure.reset();
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
    napi_reject_deferred(env, job->deferred, environment->error_value(env, *job->error));
  } else {
    const Napi::Value value = job->result ? job->result(env) : env.Undefined();
    napi_resolve_deferred(env, job->deferred, value);
  }
}

}  // namespace inbatch
