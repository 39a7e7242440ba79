// A device as JavaScript holds it. See device.h.
#include "device.h"

#include <chrono>
#include <cstring>

#include "../cpu/kernels.h"
#include "../cpu/peak.h"
#include "classes.h"
#include "convert.h"
#include "operations.h"
#include "tensor.h"

namespace inbatch {
namespace {

const napi_type_tag kDeviceTag = {0x6e6261746368746eull, 0x696e62617463681bull};
const napi_type_tag kCancellerTag = {0x6e6261746368746eull, 0x696e62617463681cull};

class Canceller : public Napi::ObjectWrap<Canceller> {
 public:
  explicit Canceller(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<Canceller>(info), flag(std::make_shared<std::atomic<bool>>(false)) {
    info.This().As<Napi::Object>().TypeTag(&kCancellerTag);
  }
  void cancel(const Napi::CallbackInfo&) { flag->store(true); }
  Flag flag;
};

// What Device is made of: the number of threads, or {card: number}.
Engine& engine_of(Napi::Value value) {
  if (value.IsObject()) {
    const auto card = argument<int64_t>("device", value.As<Napi::Object>().Get("card"));
    expect(card >= 0 && card < 1024, "device",
           "expected a card from 0 on, got " + std::to_string(card));
    return Engine::of_card(int(card));
  }
  const auto threads = argument<int64_t>("device", value);
  expect(threads >= 1 && threads <= 1024, "device",
         "expected 1 to 1024 threads, got " + std::to_string(threads));
  return Engine::of(int(threads));
}

}  // namespace

void define_canceller(Napi::Env env, Napi::Object exports) {
  const auto type = Canceller::DefineClass(
      env, "Canceller", {Canceller::InstanceMethod<&Canceller::cancel>("cancel")});
  exports.Set("Canceller", type);
}

Flag flag_of(Napi::Value value) {
  if (value.IsUndefined()) return std::make_shared<std::atomic<bool>>(false);
  const bool is_canceller =
      value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kCancellerTag);
  if (!is_canceller) refuse("canceller", "expected a Canceller, or nothing");
  return Canceller::Unwrap(value.As<Napi::Object>())->flag;
}

Bytes bytes_of(const char* where, Napi::Value value, int64_t expected) {
  if (!value.IsTypedArray()) refuse(where, "expected a typed array");
  const auto array = value.As<Napi::TypedArray>();
  expect(
      int64_t(array.ByteLength()) == expected, where,
      "expected " + std::to_string(expected) + " bytes, got " + std::to_string(array.ByteLength()));
  return {static_cast<char*>(array.ArrayBuffer().Data()) + array.ByteOffset(), array.ByteLength()};
}

void DeviceHandle::define(Napi::Env env, Napi::Object exports) {
  exports.Set("Device", DefineClass(env, "Device",
                                    {InstanceMethod<&DeviceHandle::tensor>("tensor"),
                                     InstanceMethod<&DeviceHandle::run>("run"),
                                     InstanceMethod<&DeviceHandle::write>("write"),
                                     InstanceMethod<&DeviceHandle::read>("read"),
                                     InstanceMethod<&DeviceHandle::synchronize>("synchronize"),
                                     InstanceMethod<&DeviceHandle::peak>("peak"),
                                     InstanceMethod<&DeviceHandle::statistics>("statistics")}));
}

// new Device(threads), or new Device({card})
DeviceHandle::DeviceHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DeviceHandle>(info) {
  guarded(info.Env(), [&]() -> Napi::Value {
    cpu::kernels();
    lane_ = std::make_shared<Lane>(engine_of(info[0]));
    info.This().As<Napi::Object>().TypeTag(&kDeviceTag);
    return info.Env().Undefined();
  });
}

DeviceHandle* DeviceHandle::from(Napi::Value value) {
  const bool is_device = value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kDeviceTag);
  if (!is_device) refuse("device", "expected a device");
  return Unwrap(value.As<Napi::Object>());
}

void DeviceHandle::expect_here(const char* where, const Tensor& tensor) const {
  const Place place = engine().memory().place();
  if (tensor.place == place) return;
  refuse(where, std::string("expected a tensor of the ") + name_of(place) + ", got one of the " +
                    name_of(tensor.place));
}

// tensor(rows, columns, type): memory of undefined contents.
Napi::Value DeviceHandle::tensor(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto rows = argument<int64_t>("tensor", info[0]);
    const auto cols = argument<int64_t>("tensor", info[1]);
    constexpr int64_t kMost = int64_t(1) << 40;
    expect(rows >= 0 && cols >= 0 && (cols == 0 || rows <= kMost / cols), "tensor",
           "expected extents whose product fits, got " + std::to_string(rows) + " x " +
               std::to_string(cols));
    Held held{{nullptr, rows, cols, type_of(argument<std::string>("tensor", info[2])),
               engine().memory().place()},
              nullptr};
    held.block = engine().memory().take(size_t(held.tensor.bytes()));
    held.tensor.data = held.block->data;
    return TensorHandle::make(info.Env(), std::move(held));
  });
}

// run(name, fields): checks now, runs in order, returns at once.
Napi::Value DeviceHandle::run(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    auto job = std::make_unique<Job>();
    job->work =
        operation(argument<std::string>("run", info[0]), info[1], engine().memory().place());
    Environment::of(info.Env()).queue(lane_, std::move(job));
    return info.Env().Undefined();
  });
}

// write(tensor, typedArray): copies now, arrives in order.
Napi::Value DeviceHandle::write(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Held* held = held_of(info[0]);
    if (!held) refuse("write", "expected a tensor");
    expect_here("write", held->tensor);
    const Bytes bytes = bytes_of("write", info[1], held->tensor.bytes());
    auto staged = engine().staging().take(bytes.size);
    std::memcpy(staged->data, bytes.data, bytes.size);
    auto job = std::make_unique<Job>();
    job->work = [to = *held, staged, size = bytes.size](const Stream& stream) {
      stream.upload(to.tensor.data, staged->data, size);
    };
    Environment::of(info.Env()).queue(lane_, std::move(job));
    return info.Env().Undefined();
  });
}

// read(tensor, typedArray, canceller): fills the array when the work before it is done.
Napi::Value DeviceHandle::read(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Held* held = held_of(info[0]);
    if (!held) refuse("read", "expected a tensor");
    expect_here("read", held->tensor);
    const Bytes bytes = bytes_of("read", info[1], held->tensor.bytes());
    auto job = std::make_unique<Job>();
    job->cancelled = flag_of(info[2]);
    job->held.push_back(Napi::Persistent(info[1].As<Napi::Object>()));
    job->work = [from = *held, bytes](const Stream& stream) {
      stream.download(bytes.data, from.tensor.data, bytes.size);
      stream.wait();
    };
    return Environment::of(info.Env()).await(info.Env(), lane_, std::move(job));
  });
}

// synchronize(): resolves when everything queued before is done.
Napi::Value DeviceHandle::synchronize(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto job = std::make_unique<Job>();
    job->work = [](const Stream& stream) { stream.wait(); };
    return Environment::of(info.Env()).await(info.Env(), lane_, std::move(job));
  });
}

// peak(): the FMA peak of all threads together in GFLOP/s, over some 20 ms.
Napi::Value DeviceHandle::peak(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    expect(!engine().card(), "peak", "expected the device cpu, got a card");
    auto job = std::make_unique<Job>();
    auto rate = std::make_shared<double>(0);
    job->work = [rate](const Stream& stream) { *rate = cpu::fma_peak(stream); };
    job->result = [rate](Napi::Env env) { return Napi::Number::New(env, *rate); };
    return Environment::of(info.Env()).await(info.Env(), lane_, std::move(job));
  });
}

// statistics(): memory taken from the system by this device, for figures and tests.
Napi::Value DeviceHandle::statistics(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    Pool& pool = engine().pool();
    uint64_t allocations = engine().memory().allocations();
    size_t bytes = engine().memory().held();
    for (int worker = 0; worker < pool.threads(); ++worker) {
      allocations += pool.scratch(worker).allocations();
      bytes += pool.scratch(worker).capacity();
    }
    if (const Card* card = engine().card()) {
      allocations = card->allocations();
      bytes = card->held();
    }
    const auto object = Napi::Object::New(info.Env());
    object.Set("allocations", double(allocations));
    object.Set("bytes", double(bytes));
    object.Set("kernels", engine().card() ? "cuda" : cpu::kernels().name);
    object.Set("threads", double(pool.threads()));
    return object;
  });
}

}  // namespace inbatch
