// The handle of a matrix in device memory.
#pragma once

#include <napi.h>

#include "memory.h"

namespace inbatch {

class TensorHandle : public Napi::ObjectWrap<TensorHandle> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  static Napi::Value make(Napi::Env env, Held held);
  explicit TensorHandle(const Napi::CallbackInfo& info);

  Held held;

 private:
  Napi::Value rows(const Napi::CallbackInfo& info);
  Napi::Value columns(const Napi::CallbackInfo& info);
  Napi::Value slice(const Napi::CallbackInfo& info);
  Napi::Value reshape(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);
};

// What the handle holds; null when the value is none, or was disposed.
const Held* held_of(Napi::Value value);

// The type by its name in JavaScript.
Type type_of(const std::string& name);

}  // namespace inbatch
