// A model as JavaScript holds it: parameters in and out, encode, forward and backward, update.
#pragma once

#include <napi.h>

#include <memory>

#include "queue.h"

namespace inbatch {

struct ModelCore;

class ModelHandle : public Napi::ObjectWrap<ModelHandle> {
 public:
  static void define(Napi::Env env, Napi::Object exports);
  explicit ModelHandle(const Napi::CallbackInfo& info);

 private:
  using Info = const Napi::CallbackInfo&;
  Napi::Value parameters(Info info);
  Napi::Value load(Info info);
  Napi::Value write(Info info);
  Napi::Value read(Info info);
  Napi::Value pack(Info info);
  Napi::Value encode(Info info);
  Napi::Value prepare_training(Info info);
  Napi::Value training_memory(Info info);
  Napi::Value forward(Info info);
  Napi::Value backward(Info info);
  Napi::Value zero_gradients(Info info);
  Napi::Value update(Info info);
  Napi::Value squares(Info info);
  Napi::Value exchange_averages(Info info);
  Napi::Value perturb(Info info);
  Napi::Value undo_perturb(Info info);
  Napi::Value hold_gradients(Info info);
  Napi::Value return_gradients(Info info);
  Napi::Value statistics(Info info);
  Napi::Value dispose(Info info);

  std::shared_ptr<ModelCore> core(const char* where) const;
  Napi::Value await(Info info, std::unique_ptr<Job> job);
  void queue(Info info, std::function<void(const Stream&)> work, Napi::Value canceller = {});

  std::shared_ptr<ModelCore> core_;
  std::shared_ptr<Lane> lane_;
};

}  // namespace inbatch
