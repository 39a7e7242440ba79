// Registration: what JavaScript sees of the native half.
#include <napi.h>

#include "../base/card.h"
#include "../cpu/kernels.h"
#include "classes.h"
#include "convert.h"
#include "device.h"
#include "model.h"
#include "tensor.h"
#include "tokenizer.h"

namespace inbatch {
namespace {

// setErrorClass(EngineError): how errors of native code are made.
Napi::Value set_error_class(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    if (!info[0].IsFunction()) refuse("setErrorClass", "expected a class");
    Environment::of(info.Env()).error_class = Napi::Persistent(info[0].As<Napi::Function>());
    return info.Env().Undefined();
  });
}

// kernels(): the name of the kernels in use.
Napi::Value kernels(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return Napi::String::New(info.Env(), cpu::kernels().name); });
}

// useKernels(name): for tests and figures; false when this CPU cannot run them.
Napi::Value use_kernels(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto name = argument<std::string>("useKernels", info[0]);
    return Napi::Boolean::New(info.Env(), cpu::use_kernels(name.c_str()));
  });
}

// useSchedule(name): for tests and figures; false where there is no such schedule of products.
Napi::Value use_schedule(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto name = argument<std::string>("useSchedule", info[0]);
    CardDriver* driver = card_driver();
    return Napi::Boolean::New(info.Env(), driver && driver->use_schedule(name));
  });
}

// cards(): the cards of this machine, and why one of them, or any, cannot be used.
Napi::Value cards(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    CardDriver* driver = card_driver();
    const auto found = driver ? driver->list() : std::vector<CardProperties>{};
    const auto list = Napi::Array::New(env, found.size());
    for (uint32_t index = 0; index < found.size(); ++index) {
      const auto card = Napi::Object::New(env);
      card.Set("name", found[index].name);
      card.Set("capability", double(found[index].capability) / 10);
      card.Set("memoryBytes", double(found[index].memory));
      if (!found[index].reason.empty()) card.Set("reason", found[index].reason);
      list.Set(index, card);
    }
    const auto object = Napi::Object::New(env);
    const std::string reason = driver ? driver->reason() : "this build has no CUDA";
    if (!reason.empty()) object.Set("reason", reason);
    object.Set("absent", !driver || driver->is_absent());
    object.Set("list", list);
    return object;
  });
}

// findCards(): has the driver start and look for cards on a thread of its own; from then on cards()
// and new Device() do not wait for it.
Napi::Value find_cards(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto job = std::make_unique<Job>();
    job->work = [](const Stream&) {
      if (CardDriver* driver = card_driver()) driver->list();
    };
    auto lane = std::make_shared<Lane>(Engine::of_driver());
    return Environment::of(info.Env()).await(info.Env(), std::move(lane), std::move(job));
  });
}

Napi::Object start(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData<Environment>(new AddonData(env));
  define_canceller(env, exports);
  TensorHandle::define(env, exports);
  DeviceHandle::define(env, exports);
  ModelHandle::define(env, exports);
  define_tokenizer(env, exports);
  exports.Set("setErrorClass", Napi::Function::New(env, set_error_class));
  exports.Set("cards", Napi::Function::New(env, cards));
  exports.Set("findCards", Napi::Function::New(env, find_cards));
  exports.Set("kernels", Napi::Function::New(env, kernels));
  exports.Set("useKernels", Napi::Function::New(env, use_kernels));
  exports.Set("useSchedule", Napi::Function::New(env, use_schedule));
  return exports;
}

}  // namespace

NODE_API_MODULE(inbatch, start)

}  // namespace inbatch
