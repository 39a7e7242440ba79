// Tensors with their names, as checks of their types take them.
#pragma once

#include <initializer_list>

#include "../base/error.h"

namespace inbatch {

struct NamedTensor {
  const char* name;
  Tensor tensor;
};

inline void expect_f32(const char* op, std::initializer_list<NamedTensor> all) {
  for (const NamedTensor& each : all) expect_type(op, each.name, each.tensor, Type::F32);
}

// That all are of the type of the first: f32, or on a card bf16.
inline void expect_one_type(const char* op, std::initializer_list<NamedTensor> all) {
  const Tensor& first = all.begin()->tensor;
  const bool is_short = first.type == Type::BF16 && first.place == Place::Cuda;
  for (const NamedTensor& each : all) {
    expect_type(op, each.name, each.tensor, is_short ? Type::BF16 : Type::F32);
  }
}

}  // namespace inbatch
