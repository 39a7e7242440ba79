// The handle of a matrix in device memory. See tensor.h.
#include "tensor.h"

#include <string>

#include "classes.h"
#include "convert.h"

namespace inbatch {
namespace {

const napi_type_tag kTag = {0x6e6261746368746eull, 0x696e62617463681aull};

}  // namespace

Type type_of(const std::string& name) {
  for (const Type type : {Type::F32, Type::F16, Type::BF16, Type::I32, Type::F64, Type::U8}) {
    if (name == name_of(type)) return type;
  }
  throw Error("OP_INVALID", "tensor: expected type f32, f16, bf16, i32, f64 or u8, got " + name);
}

void TensorHandle::define(Napi::Env env, Napi::Object exports) {
  const auto type = DefineClass(env, "Tensor",
                                {InstanceAccessor<&TensorHandle::rows>("rows"),
                                 InstanceAccessor<&TensorHandle::columns>("columns"),
                                 InstanceMethod<&TensorHandle::slice>("slice"),
                                 InstanceMethod<&TensorHandle::reshape>("reshape"),
                                 InstanceMethod<&TensorHandle::dispose>("dispose")});
  AddonData::of(env).classes.tensor = Napi::Persistent(type);
  exports.Set("Tensor", type);
}

TensorHandle::TensorHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TensorHandle>(info) {
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

Napi::Value TensorHandle::make(Napi::Env env, Held held) {
  const auto object = AddonData::of(env).classes.tensor.New({});
  TensorHandle::Unwrap(object)->held = std::move(held);
  return object;
}

const Held* held_of(Napi::Value value) {
  if (!value.IsObject()) return nullptr;
  const auto object = value.As<Napi::Object>();
  if (!object.CheckTypeTag(&kTag)) return nullptr;
  const TensorHandle* handle = TensorHandle::Unwrap(object);
  return handle->held.block ? &handle->held : nullptr;
}

Napi::Value TensorHandle::rows(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), double(held.tensor.rows));
}

Napi::Value TensorHandle::columns(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), double(held.tensor.cols));
}

// slice(begin, count): rows as a view of the same memory.
Napi::Value TensorHandle::slice(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto begin = argument<int64_t>("slice", info[0]);
    const auto count = argument<int64_t>("slice", info[1]);
    expect(held.block && begin >= 0 && begin <= held.tensor.rows && count >= 0 &&
               count <= held.tensor.rows - begin,
           "slice",
           "expected rows within " + std::to_string(held.tensor.rows) + ", got " +
               std::to_string(count) + " from " + std::to_string(begin));
    return make(info.Env(), {held.tensor.slice(begin, count), held.block});
  });
}

// reshape(rows, columns): the same elements seen as another matrix.
Napi::Value TensorHandle::reshape(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto rows = argument<int64_t>("reshape", info[0]);
    const auto cols = argument<int64_t>("reshape", info[1]);
    expect(held.block && rows >= 0 && cols >= 0 &&
               (cols == 0 || rows <= held.tensor.size() / cols) &&
               rows * cols == held.tensor.size(),
           "reshape",
           "expected " + std::to_string(held.tensor.size()) + " elements, got " +
               std::to_string(rows) + " x " + std::to_string(cols));
    Tensor view = held.tensor;
    view.rows = rows;
    view.cols = cols;
    return make(info.Env(), {view, held.block});
  });
}

void TensorHandle::dispose(const Napi::CallbackInfo&) { held = {}; }

}  // namespace inbatch
