// The ops that have a kernel for cards so far; once it names all of AllOps, that takes its place.
#pragma once

#include "../ops/all.h"

namespace inbatch::cuda {

using PresentOps =
    OpList<ActivationForward, ActivationBackward, GateForward, GateBackward, Add, Dropout>;

}  // namespace inbatch::cuda
