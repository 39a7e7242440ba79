// The one door to every kernel: check, then the back end of the stream.
//
// A back end specialises run<Op> for each op; a missing one is a link error that names the op
// (native/link.cpp is the program that makes the linker look).
#pragma once

#include "op.h"

namespace inbatch {

namespace cpu {
template <class Op>
void run(const Stream& stream, const Op& op);
}

template <class Op>
void run(const Stream& stream, const Op& op) {
  op.check();
  if (stream.place != Place::Cpu) {
    throw Error("DEVICE_UNAVAILABLE", std::string(Op::name) + ": this build has no CUDA");
  }
  cpu::run(stream, op);
}

}  // namespace inbatch
