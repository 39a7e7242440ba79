// The cards of this machine, by the CUDA runtime. Contract: base/card.h.
#include "../base/card.h"

#include <cstdio>
#include <map>
#include <mutex>
#include <string>

#include "faults.cuh"
#include "install.h"
#include "launch.cuh"

namespace inbatch::cuda {
namespace {

constexpr int kLeastCapability = 80;

std::string size_of(size_t bytes) {
  char text[32];
  snprintf(text, sizeof text, "%.2f MB", double(bytes) / 1e6);
  return text;
}

class RuntimeCard final : public Card {
 public:
  RuntimeCard(int index, const std::string& model)
      : index_(index), name_("card " + std::to_string(index) + " (" + model + ")") {}

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
                                     size_of(free) + " free of " + size_of(total) +
                                     "; lower the tokens of one pass (chunkTokens, batchTokens)");
  }
  void give(void* data, size_t) override {
    use();
    cudaFree(data);  // a failure of the queue is told by the next wait
  }
  void open(void* data, size_t bytes) override { forget_contents(data, bytes, queue()); }

  void upload(void* to, const void* from, size_t bytes) override {
    move(to, from, bytes, cudaMemcpyHostToDevice);
  }
  void download(void* to, const void* from, size_t bytes) override {
    move(to, from, bytes, cudaMemcpyDeviceToHost);
  }
  void copy(void* to, const void* from, size_t bytes) override {
    move(to, from, bytes, cudaMemcpyDeviceToDevice);
  }
  void clear(void* to, size_t bytes) override {
    use();
    if (bytes > 0) expect_success(cudaMemsetAsync(to, 0, bytes, queue_), "to write zeros");
  }
  void wait() override {
    use();
    Fault fault{};
    if (!checks_.empty()) download(&fault, fault_, sizeof fault);
    expect_success(cudaStreamSynchronize(queue_), "the work queued before to be done");
    if (fault.check > 0) tell(fault);
    checks_.clear();
  }

  Check check_of(const char* op, const char* field) {
    checks_.push_back({op, field});
    return {fault_, int32_t(checks_.size())};
  }

 private:
  struct Checked {
    const char *op, *field;
  };

  [[noreturn]] void tell(const Fault& fault) {
    const Checked checked = checks_[size_t(fault.check) - 1];
    checks_.clear();
    clear(fault_, sizeof(Fault));
    refuse(checked.op, std::string("expected ") + checked.field + " below " +
                           std::to_string(fault.limit) + ", got " + std::to_string(fault.value) +
                           " at " + std::to_string(fault.place));
  }

  // Each thread says which card it means. The first one of all starts it, which takes a while.
  void use() {
    cudaSetDevice(index_);
    std::call_once(started_, [&] { start(); });
  }

  void start() {
    expect_success(cudaStreamCreate(&queue_), "to start");
    void* fault = nullptr;
    expect_success(cudaMalloc(&fault, sizeof(Fault)), "to start");
    expect_success(cudaMemsetAsync(fault, 0, sizeof(Fault), queue_), "to start");
    fault_ = static_cast<Fault*>(fault);
  }

  void* take_if_free(size_t bytes) {
    void* data = nullptr;
    const cudaError_t error = cudaMalloc(&data, bytes > 0 ? bytes : 1);
    if (error == cudaSuccess) return data;
    cudaGetLastError();  // the next call must not find it
    if (error != cudaErrorMemoryAllocation) expect_success(error, "memory");
    return nullptr;
  }

  void move(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    use();
    if (bytes > 0) expect_success(cudaMemcpyAsync(to, from, bytes, kind, queue_), "to copy");
  }

  void expect_success(cudaError_t error, const char* expected) const {
    if (error == cudaSuccess) return;
    throw Error("DEVICE_FAILED",
                name_ + ": expected " + expected + ", got: " + cudaGetErrorString(error));
  }

  int index_;
  std::string name_;
  std::once_flag started_;
  cudaStream_t queue_{};
  Fault* fault_ = nullptr;
  std::vector<Checked> checks_;  // since the last wait
};

class RuntimeDriver final : public CardDriver {
 public:
  int version() override {
    int version = 0;
    return cudaDriverGetVersion(&version) == cudaSuccess ? version : 0;
  }

  std::string reason() override {
    int count = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    if (error == cudaSuccess && count > 0) return "";
    cudaGetLastError();
    if (error == cudaErrorInsufficientDriver) return driver_reason();
    if (error == cudaSuccess || error == cudaErrorNoDevice) return "this machine has no card";
    return cudaGetErrorString(error);
  }

  std::vector<CardProperties> list() override {
    std::vector<CardProperties> cards;
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess) count = 0;
    for (int index = 0; index < count; ++index) cards.push_back(properties_of(index));
    cudaGetLastError();
    return cards;
  }

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
    auto* card = new RuntimeCard(index, properties.name);  // never destroyed: jobs outlive main
    cards_[index] = card;
    return *card;
  }

 private:
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

  std::string driver_reason() {
    const auto text = [](int version) {
      return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
    };
    int needed = 0;
    cudaRuntimeGetVersion(&needed);
    const std::string expected = "expected a driver for CUDA " + text(needed) + " or newer, ";
    return expected + (version() == 0 ? "found none" : "got one for CUDA " + text(version()));
  }

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
