// A device as JavaScript holds it: memory, ops by name, reading and writing.
#pragma once

#include <napi.h>

#include "queue.h"

namespace inbatch {

class DeviceHandle : public Napi::ObjectWrap<DeviceHandle> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  explicit DeviceHandle(const Napi::CallbackInfo& info);
  Engine& engine() const { return lane_->engine; }
  const std::shared_ptr<Lane>& lane() const { return lane_; }
  static DeviceHandle* from(Napi::Value value);

 private:
  Napi::Value tensor(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value synchronize(const Napi::CallbackInfo& info);
  Napi::Value peak(const Napi::CallbackInfo& info);
  Napi::Value statistics(const Napi::CallbackInfo& info);

  void expect_here(const char* where, const Tensor& tensor) const;

  std::shared_ptr<Lane> lane_;
};

// The flag of a Canceller; a fresh one when the value is none.
Flag flag_of(Napi::Value value);
void define_canceller(Napi::Env env, Napi::Object exports);

// Bytes and length of a typed array.
struct Bytes {
  void* data;
  size_t size;
};
Bytes bytes_of(const char* where, Napi::Value value, int64_t expected);

}  // namespace inbatch
