// A tokenizer as JavaScript holds it: texts to ids in the calling thread, which is a worker's.
#pragma once

#include <napi.h>

namespace inbatch {

void define_tokenizer(Napi::Env env, Napi::Object exports);

}  // namespace inbatch
