// Ids to rows: tokens, positions, types, norm, dropout, and a projection where the tables are
// narrower than the model.
#pragma once

#include "../ops/embed.h"
#include "linear.h"
#include "norm.h"

namespace inbatch {

struct Embedding {
  Parameter *tokens = nullptr, *positions = nullptr, *types = nullptr;
  std::optional<Norm> norm;
  std::optional<Linear> projection;
  int32_t position_offset = 0, padding = -1;
  float scale = 1;

  struct Saved {
    Norm::Saved norm;
    Tensor narrow;  // what the projection read
  };

  static Embedding declare(Parameters& parameters, const EmbeddingSpec& spec, int64_t width) {
    Embedding e;
    e.tokens = parameters.declare("embedding.tokens", spec.vocabulary, spec.width, false);
    if (spec.positions)
      e.positions = parameters.declare("embedding.positions", spec.positions, spec.width, false);
    if (spec.types) e.types = parameters.declare("embedding.types", spec.types, spec.width, false);
    for (Parameter* table : {e.tokens, e.positions, e.types}) {
      if (table) table->decay = true;
    }
    e.norm = Norm::declare(parameters, "embedding.norm", spec.norm, spec.width);
    if (spec.width != width)
      e.projection = Linear::declare(parameters, "embedding.projection", spec.width, width, true);
    e.position_offset = int32_t(spec.position_offset);
    e.padding = int32_t(spec.padding);
    e.scale = spec.scale;
    return e;
  }

  void forward(const Pass& pass, Tensor y, Saved& saved) const {
    const Tensor rows = projection ? pass.kept(y.rows, tokens->cols, y.type) : y;
    const Tensor x = norm ? pass.kept_like(rows) : rows;
    pass.run(EmbedForward{position_offset, padding, scale, pass.batch.ids, pass.batch.offsets,
                          tokens->value, positions ? positions->value : Tensor{},
                          types ? types->value : Tensor{}, x});
    if (norm) norm->forward(pass, x, {}, rows, saved.norm);
    pass.drop(rows, 0);
    if (!projection) return;
    saved.narrow = rows;
    projection->forward(pass, rows, y);
  }

  // Overwrites dy.
  void backward(const Pass& pass, Tensor dy, const Saved& saved) const {
    Scope scope(pass.scratch());
    Tensor drows = dy;
    if (projection) {
      drows = pass.temporary(dy.rows, tokens->cols, dy.type);
      projection->backward_weight(pass, saved.narrow, dy);
      projection->backward_input(pass, dy, drows);
    }
    pass.drop(drows, 0);
    if (norm) norm->backward(pass, drows, drows, saved.norm);
    pass.run(EmbedBackward{position_offset, padding, scale, pass.batch.ids, pass.batch.offsets,
                           drows, tokens->gradient, positions ? positions->gradient : Tensor{},
                           types ? types->gradient : Tensor{}});
  }
};

}  // namespace inbatch
