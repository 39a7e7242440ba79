// The one door to every kernel: check, then the back end of the stream.
//
// The back end of this machine specialises run<Op> for each op; a missing one is a link error that
// names the op (native/link.cpp is the program that makes the linker look). That of cards, which a
// program may be linked without, fills in kernel<Op> when the first card is opened.
#pragma once

#include "op.h"

namespace inbatch {

namespace cpu {
template <class Op>
void run(const Stream& stream, const Op& op);
}

namespace cuda {
template <class Op>
inline void (*kernel)(const Stream& stream, const Op& op) = nullptr;
}

// That the op exists where it is to run, and that its tensors lie there.
template <class Op>
void expect_place(const Op& op, Place place) {
  if (place == Place::Cuda && !cuda::kernel<Op>) {
    throw Error("DEVICE_UNAVAILABLE", std::string(Op::name) + ": expected a kernel for cards, " +
                                          "got none in this build; use the device cpu");
  }
  const auto expect_here = [&](const char* name, const auto& value) {
    if constexpr (std::is_same_v<decltype(value), const Tensor&>) {
      if (value.empty() || value.place == place) return;
      refuse(Op::name, std::string("expected ") + name + " in the memory of the " + name_of(place) +
                           ", got a tensor of the " + name_of(value.place));
    }
  };
  std::apply([&](auto... field) { (expect_here(field.name, op.*(field.member)), ...); },
             Op::fields());
}

template <class Op>
void run(const Stream& stream, const Op& op) {
  op.check();
  expect_place(op, stream.place);
  if (stream.place == Place::Cuda) return cuda::kernel<Op>(stream, op);
  cpu::run(stream, op);
}

}  // namespace inbatch
