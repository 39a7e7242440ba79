// Ids to rows: tokens, positions, types, norm, dropout.
#pragma once

#include "../ops/embed.h"
#include "norm.h"

namespace inbatch {

struct Embedding {
  Parameter *tokens = nullptr, *positions = nullptr, *types = nullptr;
  std::optional<Norm> norm;
  int32_t position_offset = 0;

  struct Saved {
    Norm::Saved norm;
  };

  static Embedding declare(Parameters& parameters, const EmbeddingSpec& spec, int64_t width) {
    Embedding e;
    e.tokens = parameters.declare("embedding.tokens", spec.vocabulary, width, false);
    if (spec.positions)
      e.positions = parameters.declare("embedding.positions", spec.positions, width, false);
    if (spec.types) e.types = parameters.declare("embedding.types", spec.types, width, false);
    for (Parameter* table : {e.tokens, e.positions, e.types}) {
      if (table) table->decay = true;
    }
    e.norm = Norm::declare(parameters, "embedding.norm", spec.norm, width);
    e.position_offset = int32_t(spec.position_offset);
    return e;
  }

  void forward(const Pass& pass, Tensor y, Saved& saved) const {
    const Tensor x = norm ? pass.kept(y.rows, y.cols) : y;
    pass.run(EmbedForward{position_offset, 1, pass.batch.ids, pass.batch.offsets, tokens->value,
                          positions ? positions->value : Tensor{}, types ? types->value : Tensor{},
                          x});
    if (norm) norm->forward(pass, x, {}, y, saved.norm);
    pass.drop(y, 0);
  }

  // Overwrites dy.
  void backward(const Pass& pass, Tensor dy, const Saved& saved) const {
    pass.drop(dy, 0);
    if (norm) norm->backward(pass, dy, dy, saved.norm);
    pass.run(EmbedBackward{position_offset, 1, pass.batch.ids, pass.batch.offsets, dy,
                           tokens->gradient, positions ? positions->gradient : Tensor{},
                           types ? types->gradient : Tensor{}});
  }
};

}  // namespace inbatch
