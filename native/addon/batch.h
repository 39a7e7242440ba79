// A batch on its way from JavaScript into a pass.
#pragma once

#include <vector>

#include "../model/pass.h"

namespace inbatch {

struct OwnedBatch {
  std::vector<int32_t> ids, offsets, texts;

  Batch view() {
    const auto row = [](std::vector<int32_t>& v) {
      return Tensor{v.data(), 1, int64_t(v.size()), Type::I32, Place::Cpu};
    };
    Batch batch{row(ids), row(offsets), row(texts)};
    if (ids.empty()) batch.ids.data = offsets.data();  // no tokens, yet not an absent tensor
    return batch;
  }
};

}  // namespace inbatch
