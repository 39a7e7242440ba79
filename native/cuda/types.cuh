// Kernels by the element type of an operand.
#pragma once

#include "launch.cuh"

namespace inbatch::cuda {

// body(elements) for f32 or bf16; checks have refused all others.
template <class Body>
void with_type(const Tensor& x, const Body& body) {
  if (x.type == Type::BF16) {
    body(x.as<bf16>());
  } else {
    body(x.f32());
  }
}

}  // namespace inbatch::cuda
