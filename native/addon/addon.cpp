// Registration: what JavaScript sees of the native half.
#include <napi.h>

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

Napi::Object start(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData<Environment>(new AddonData(env));
  define_canceller(env, exports);
  TensorHandle::define(env, exports);
  DeviceHandle::define(env, exports);
  ModelHandle::define(env, exports);
  define_tokenizer(env, exports);
  exports.Set("setErrorClass", Napi::Function::New(env, set_error_class));
  exports.Set("kernels", Napi::Function::New(env, kernels));
  exports.Set("useKernels", Napi::Function::New(env, use_kernels));
  return exports;
}

}  // namespace

NODE_API_MODULE(inbatch, start)

}  // namespace inbatch
