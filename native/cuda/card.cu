// The cards of this machine, by the CUDA runtime. Contract: base/card.h.
#include "../base/card.h"

#include <atomic>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "checks.cuh"
#include "install.h"
#include "staging.cuh"
#include "tile_choice.h"

namespace inbatch::cuda {
namespace {

constexpr int kLeastCapability = 80;

std::string size_of(size_t bytes) {
  char text[32];
  snprintf(text, sizeof text, "%.2f MB", double(bytes) / 1e6);
  return text;
}

struct RecordedGraph final : Recording {
  cudaGraphExec_t graph{};
  ~RecordedGraph() override { cudaGraphExecDestroy(graph); }  // ends by itself where it still runs
};

class RuntimeCard final : public Card {
 public:
  RuntimeCard(int index, const CardProperties& properties)
      : index_(index),
        name_("card " + std::to_string(index) + " (" + properties.name + ")"),
        memory_(properties.memory) {}

  const std::string& name() const override { return name_; }
  cudaStream_t queue() {
    use();
    return queue_;
  }

  void* take(size_t bytes) override {
    use();
    if (void* data = take_if_free(bytes)) return data;
    if (when_short) when_short();
    if (void* data = take_if_free(bytes)) return data;
    size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    throw Error("OUT_OF_MEMORY", name_ + ": expected " + size_of(bytes) + " of memory, got " +
                                     size_of(free) + " free of " + size_of(total));
  }
  void give(void* data, size_t bytes) override {
    use();
    cudaFree(data);  // a failure of the queue is told by the next wait
    held_ -= bytes;
  }
  void open(void* data, size_t bytes) override { forget_contents(data, bytes, queue()); }

  void upload(void* to, const void* from, size_t bytes) override {
    stage([&] { staging_->upload(to, from, bytes); });
  }
  void download(void* to, const void* from, size_t bytes) override {
    stage([&] { staging_->download(to, from, bytes); });
  }
  void copy(void* to, const void* from, size_t bytes) override {
    use();
    const auto kind = cudaMemcpyDeviceToDevice;
    if (bytes > 0) expect_success(cudaMemcpyAsync(to, from, bytes, kind, queue_), "to copy");
  }
  void clear(void* to, size_t bytes) override {
    use();
    if (bytes > 0) expect_success(cudaMemsetAsync(to, 0, bytes, queue_), "to write zeros");
  }

  // The last piece that comes down: what checks have found.
  uint64_t mark() override {
    stage([&] { checks_.mark(staging_->download(&found_, fault_, sizeof found_)); });
    return staging_->asked();
  }
  void wait(uint64_t mark) override {
    if (lost_ && mark <= lost_mark_) throw Error(*lost_);
    stage([&] { staging_->finish(mark); });
    if (found_.check > 0) clear(fault_, sizeof found_);
    checks_.pass(mark, found_);
  }

  std::unique_ptr<Recording> record(const std::function<void()>& body) override {
    use();
    expect_success(cudaStreamBeginCapture(queue_, cudaStreamCaptureModeThreadLocal), "to record");
    cudaGraph_t graph{};
    try {
      body();
    } catch (...) {
      if (cudaStreamEndCapture(queue_, &graph) == cudaSuccess) cudaGraphDestroy(graph);
      cudaGetLastError();  // what went wrong is told, not what came of it
      throw;
    }
    expect_success(cudaStreamEndCapture(queue_, &graph), "to record");
    auto recording = std::make_unique<RecordedGraph>();
    const cudaError_t error = cudaGraphInstantiate(&recording->graph, graph, 0);
    cudaGraphDestroy(graph);
    expect_success(error, "to keep what was recorded");
    return recording;
  }
  void replay(const Recording& recording) override {
    use();
    const cudaGraphExec_t graph = static_cast<const RecordedGraph&>(recording).graph;
    expect_success(cudaGraphLaunch(graph, queue_), "to take what was recorded");
  }

  uint64_t allocations() const override { return allocations_; }
  size_t held() const override { return held_; }

  Check check_of(const char* op, const char* field) { return {fault_, checks_.add(op, field)}; }

 private:
  // Each thread says which card it means. The first one of all starts it, which takes a while.
  void use() {
    cudaSetDevice(index_);
    std::call_once(started_, [&] { start(); });
  }

  // Whoever waits for what a failure took with it is told that failure.
  template <class Work>
  void stage(const Work& work) {
    use();
    try {
      work();
    } catch (const Error& error) {
      lost_ = error;
      lost_mark_ = staging_->asked();
      staging_->give_up();
      throw;
    }
  }

  void start() {
    expect_success(cudaStreamCreateWithFlags(&queue_, cudaStreamNonBlocking), "to start");
    void* fault = nullptr;
    expect_success(cudaMalloc(&fault, sizeof(Fault)), "to start");
    expect_success(cudaMemsetAsync(fault, 0, sizeof(Fault), queue_), "to start");
    fault_ = static_cast<Fault*>(fault);
    staging_ = std::make_unique<Staging>(name_, queue_, memory_);
    held_ += Staging::bytes_of(memory_);
  }

  void* take_if_free(size_t bytes) {
    void* data = nullptr;
    const cudaError_t error = cudaMalloc(&data, bytes > 0 ? bytes : 1);
    if (error == cudaSuccess) {
      ++allocations_;
      held_ += bytes;
      return data;
    }
    cudaGetLastError();  // the next call must not find it
    if (error != cudaErrorMemoryAllocation) expect_success(error, "memory");
    return nullptr;
  }

  void expect_success(cudaError_t error, const char* expected) const {
    if (error == cudaSuccess) return;
    throw Error("DEVICE_FAILED",
                name_ + ": expected " + expected + ", got: " + cudaGetErrorString(error));
  }

  int index_;
  std::string name_;
  size_t memory_;
  std::once_flag started_;
  cudaStream_t queue_{};
  std::unique_ptr<Staging> staging_;
  Fault* fault_ = nullptr;  // there
  Fault found_{};           // as it came down last
  Checks checks_;
  std::optional<Error> lost_;  // of what was asked for up to the mark
  uint64_t lost_mark_ = 0;
  std::atomic<uint64_t> allocations_{0};
  std::atomic<size_t> held_{0};
};

class RuntimeDriver final : public CardDriver {
 public:
  bool is_absent() override { return found().is_absent; }
  std::string reason() override { return found().reason; }
  std::vector<CardProperties> list() override { return found().cards; }

  Card& open(int index) override {
    const std::lock_guard lock(mutex_);
    if (const auto found = cards_.find(index); found != cards_.end()) return *found->second;
    const std::string where = "device 'cuda:" + std::to_string(index) + "' is not available: ";
    if (const std::string none = reason(); !none.empty()) {
      throw Error("DEVICE_UNAVAILABLE", where + none);
    }
    const auto cards = list();
    if (size_t(index) >= cards.size()) {
      throw Error("DEVICE_UNAVAILABLE",
                  where + "expected a card below " + std::to_string(cards.size()));
    }
    const CardProperties& properties = cards[size_t(index)];
    if (!properties.reason.empty()) {
      throw Error("DEVICE_UNAVAILABLE", where + properties.reason);
    }
    install_kernels();
    auto* card = new RuntimeCard(index, properties);  // never destroyed: jobs outlive main
    cards_[index] = card;
    return *card;
  }

  bool use_schedule(const std::string& name) final {
    static const std::map<std::string, Schedule> schedules{
        {"cheapest", Schedule::Cheapest}, {"shared", Schedule::Shared}, {"turns", Schedule::Turns}};
    const auto found = schedules.find(name);
    if (found == schedules.end()) return false;
    wanted_schedule = found->second;
    return true;
  }

 private:
  struct Found {
    std::string reason;
    bool is_absent = false;
    std::vector<CardProperties> cards;
  };

  // Asked for once in a process.
  const Found& found() {
    std::call_once(asked_, [&] {
      int count = 0;
      const cudaError_t error = cudaGetDeviceCount(&count);
      const bool has_none = error == cudaErrorNoDevice || (error == cudaSuccess && count == 0);
      found_.is_absent = has_none || (error == cudaErrorInsufficientDriver && version() == 0);
      found_.reason = has_none ? "this machine has no card" : reason_of(error);
      for (int index = 0; index < count; ++index) found_.cards.push_back(properties_of(index));
      cudaGetLastError();
    });
    return found_;
  }

  // Of CUDA that the installed driver knows, as 12080; 0 without a driver.
  static int version() {
    int version = 0;
    return cudaDriverGetVersion(&version) == cudaSuccess ? version : 0;
  }

  static std::string reason_of(cudaError_t error) {
    if (error == cudaSuccess) return "";
    if (error == cudaErrorInsufficientDriver) return driver_reason();
    return cudaGetErrorString(error);
  }

  static CardProperties properties_of(int index) {
    cudaDeviceProp found{};
    if (const cudaError_t error = cudaGetDeviceProperties(&found, index); error != cudaSuccess) {
      return {"unknown", 0, 0, cudaGetErrorString(error)};
    }
    CardProperties card{found.name, 10 * found.major + found.minor, found.totalGlobalMem, ""};
    if (card.capability < kLeastCapability) {
      card.reason = "expected compute capability 8.0 or newer, got " + std::to_string(found.major) +
                    "." + std::to_string(found.minor);
    }
    return card;
  }

  static std::string driver_reason() {
    const auto text = [](int version) {
      return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
    };
    int needed = 0;
    cudaRuntimeGetVersion(&needed);
    const std::string expected = "expected a driver for CUDA " + text(needed) + " or newer, ";
    return expected + (version() == 0 ? "found none" : "got one for CUDA " + text(version()));
  }

  std::once_flag asked_;
  Found found_;
  std::mutex mutex_;
  std::map<int, RuntimeCard*> cards_;
};

}  // namespace

cudaStream_t queue_of(const Stream& stream) {
  return static_cast<RuntimeCard*>(stream.card)->queue();
}

Check check_of(const Stream& stream, const char* op, const char* field) {
  return static_cast<RuntimeCard*>(stream.card)->check_of(op, field);
}

}  // namespace inbatch::cuda

namespace inbatch {

CardDriver* card_driver() {
  static auto* driver = new cuda::RuntimeDriver;
  return driver;
}

}  // namespace inbatch
