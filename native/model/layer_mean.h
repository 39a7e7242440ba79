// The rows of tokens as the weighted mean of the outputs of several layers.
#pragma once

#include <vector>

#include "../ops/pool.h"
#include "parameters.h"
#include "pass.h"
#include "spec.h"

namespace inbatch {

struct LayerMean {
  int64_t start = 0, layers = 0, width = 0;
  Parameter* weights = nullptr;

  struct Saved {
    std::vector<Tensor> outputs;  // of the layers that count
    Tensor y;
  };

  // That of the mean, and of each row its products with the outputs.
  struct Gradient {
    Tensor dy, dots;
  };

  // Of so many blocks, which have one output more than there are of them.
  static LayerMean declare(Parameters& parameters, const LayerMeanSpec& spec, size_t blocks,
                           int64_t width) {
    LayerMean mean;
    mean.start = spec.start;
    mean.width = width;
    mean.layers = int64_t(blocks) + 1 - spec.start;
    expect(spec.start >= 0 && mean.layers > 0, "spec",
           "expected layers from 0 to " + std::to_string(blocks) + ", got a start of " +
               std::to_string(spec.start));
    mean.weights = parameters.declare("layers.weight", 1, mean.layers, false);
    return mean;
  }

  // Before the first output, outside of every scope of the layers.
  void begin(const Pass& pass, Saved& saved) const {
    saved.y = pass.kept(pass.batch.tokens(), width);
  }

  // Takes the output x of a layer, from 0, as soon as it is there; backward reads it again.
  void take(const Pass& pass, int64_t output, Tensor x, Saved& saved) const {
    const int64_t layer = output - start;
    if (layer < 0) return;
    saved.outputs.push_back(x);
    pass.run(LayerMeanForward{int32_t(layer), layer > 0, x, weights->value, saved.y});
  }

  // dx (+)= what the mean hands down to an output; the last one is asked for first, and
  // overwritten. What backward_weights() reads is left in dots.
  void backward(const Pass& pass, int64_t output, Tensor dx, const Saved& saved,
                const Gradient& gradient) const {
    const int64_t layer = output - start;
    if (layer < 0) return;
    pass.run(LayerMeanBackward{int32_t(layer), layer + 1 < layers, saved.outputs[size_t(layer)],
                               weights->value, gradient.dy, dx, gradient.dots});
  }

  void backward_weights(const Pass& pass, const Gradient& gradient) const {
    if (weights->gradient.empty()) return;
    pass.run(
        LayerMeanWeights{gradient.dots, weights->value, weights->gradient, pass.batch.offsets});
  }
};

}  // namespace inbatch
