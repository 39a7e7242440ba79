// Every op of ops/all.h, callable by name.
#pragma once

#include <napi.h>

#include <functional>
#include <string>

#include "queue.h"

namespace inbatch {

// The work of the op `name` with these fields at a place. Reading and check() happen here, before
// anything is queued; the work keeps the blocks of its tensors.
std::function<void(const Stream&)> operation(const std::string& name, Napi::Value fields,
                                             Place place);

}  // namespace inbatch
