// Normalisation of rows, with the residual added first when there is one; and of single heads.
#pragma once

#include "../ops/norm.h"
#include "parameters.h"
#include "pass.h"
#include "spec.h"

namespace inbatch {

struct Norm {
  NormSpec spec;
  Parameter *weight = nullptr, *bias = nullptr;
  bool rows_are_texts = false;  // otherwise they are tokens

  struct Saved {
    Tensor sum, mean, rstd;
  };

  static Norm declare(Parameters& parameters, const std::string& name, const NormSpec& spec,
                      int64_t width) {
    Norm norm;
    norm.spec = spec;
    norm.weight = parameters.declare(name + ".weight", 1, width, false);
    if (spec.bias) norm.bias = parameters.declare(name + ".bias", 1, width, false);
    return norm;
  }

  static std::optional<Norm> declare(Parameters& parameters, const std::string& name,
                                     const std::optional<NormSpec>& spec, int64_t width) {
    if (!spec) return std::nullopt;
    return declare(parameters, name, *spec, width);
  }

  // y = norm(x + residual). Without a residual x itself is saved and must stay as it is; a pass
  // that keeps nothing leaves the sum in x.
  void forward(const Pass& pass, Tensor x, Tensor residual, Tensor y, Saved& saved) const {
    saved.sum = residual.empty() || !pass.keeps() ? x : pass.kept_like(x);
    saved.mean = pass.kept(x.rows, 1);
    saved.rstd = pass.kept(x.rows, 1);
    pass.run(NormForward{spec.kind, spec.epsilon, spec.offset, x, residual, weight->value,
                         bias ? bias->value : Tensor{}, residual.empty() ? Tensor{} : saved.sum, y,
                         saved.mean, saved.rstd});
  }

  // The gradient of the sum; dx may be dy.
  void backward(const Pass& pass, Tensor dy, Tensor dx, const Saved& saved) const {
    pass.run(NormBackward{spec.kind, spec.offset, saved.sum, weight->value, saved.mean, saved.rstd,
                          dy, dx, weight->gradient, bias ? bias->gradient : Tensor{},
                          rows_are_texts ? Tensor{} : pass.batch.offsets});
  }
};

// Heads that lie side by side in a row.
struct HeadPlace {
  int64_t first = 0, count = 1, width = 1;  // columns; heads; columns of each
};

// Each head of a row by itself, with one weight for all of them.
struct HeadNorm {
  NormSpec spec;
  HeadPlace place;
  Parameter *weight = nullptr, *bias = nullptr;

  struct Saved {
    Tensor mean, rstd;
  };

  static HeadNorm declare(Parameters& parameters, const std::string& name, const NormSpec& spec,
                          const HeadPlace& place) {
    HeadNorm norm;
    norm.spec = spec;
    norm.place = place;
    norm.weight = parameters.declare(name + ".weight", 1, place.width, false);
    if (spec.bias) norm.bias = parameters.declare(name + ".bias", 1, place.width, false);
    return norm;
  }

  // Reads its columns of x and writes those of y.
  void forward(const Pass& pass, Tensor x, Tensor y, Saved& saved) const {
    saved.mean = pass.kept(x.rows, place.count);
    saved.rstd = pass.kept(x.rows, place.count);
    HeadNormForward op;
    op.kind = spec.kind;
    op.epsilon = spec.epsilon;
    op.offset = spec.offset;
    op.heads = int32_t(place.count);
    op.first = int32_t(place.first);
    op.x = x;
    op.weight = weight->value;
    if (bias) op.bias = bias->value;
    op.y = y;
    op.mean = saved.mean;
    op.rstd = saved.rstd;
    pass.run(op);
  }

  // Its columns of dy, in place.
  void backward(const Pass& pass, Tensor x, Tensor dy, const Saved& saved) const {
    HeadNormBackward op;
    op.kind = spec.kind;
    op.offset = spec.offset;
    op.heads = int32_t(place.count);
    op.first = int32_t(place.first);
    op.x = x;
    op.weight = weight->value;
    op.mean = saved.mean;
    op.rstd = saved.rstd;
    op.dy = dy;
    op.dx = dy;
    op.dweight = weight->gradient;
    if (bias) op.dbias = bias->gradient;
    op.offsets = pass.batch.offsets;
    pass.run(op);
  }
};

}  // namespace inbatch
