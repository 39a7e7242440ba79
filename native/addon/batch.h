// A batch on its way from JavaScript into a pass.
#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "../model/pass.h"

namespace inbatch {

struct OwnedBatch {
  std::vector<int32_t> ids, offsets, texts, skip;
  bool unpooled = false;

  Batch view() {
    const auto row = [](std::vector<int32_t>& v) {
      return Tensor{v.data(), 1, int64_t(v.size()), Type::I32, Place::Cpu};
    };
    Batch batch{row(ids), row(offsets), row(texts), {}, unpooled};
    if (!skip.empty()) batch.skip = row(skip);
    if (ids.empty()) batch.ids.data = offsets.data();  // no tokens, yet not an absent tensor
    return batch;
  }
};

inline std::vector<int32_t> integers(const char* field, Napi::Value value) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    refuse("batch", std::string("expected ") + field + " to be an Int32Array");
  }
  const auto array = value.As<Napi::Int32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

// {ids, offsets, texts?, skip?, unpooled?}: copied; the encoder checks what they hold.
inline std::shared_ptr<OwnedBatch> read_batch(Napi::Value value) {
  if (!value.IsObject()) refuse("batch", "expected an object");
  const auto object = value.As<Napi::Object>();
  auto batch = std::make_shared<OwnedBatch>();
  batch->ids = integers("ids", object.Get("ids"));
  batch->offsets = integers("offsets", object.Get("offsets"));
  expect(!batch->offsets.empty(), "batch", "expected offsets of at least one element");
  if (object.Has("texts")) batch->texts = integers("texts", object.Get("texts"));
  if (object.Has("skip")) batch->skip = integers("skip", object.Get("skip"));
  const Napi::Value unpooled = object.Get("unpooled");  // empty on a thread that is being ended
  batch->unpooled = !unpooled.IsEmpty() && unpooled.ToBoolean();
  return batch;
}

}  // namespace inbatch
