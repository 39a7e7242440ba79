// Everything of a model that queued work may still need when its handle is gone.
#pragma once

#include <memory>
#include <utility>

#include "../model/encoder.h"
#include "../model/perturbation.h"
#include "batch.h"

namespace inbatch {

struct ModelCore {
  explicit ModelCore(const ModelSpec& spec) : encoder(parameters, spec) {}

  Parameters parameters;
  Encoder encoder;
  // The pass that waits for its backward.
  Arena saved_memory;
  Encoder::Saved saved;
  Pass pass;
  std::shared_ptr<OwnedBatch> batch;
  Perturbation perturbation;

  // Gives up the pass that waits, if there is one.
  void forget() {
    if (batch) saved_memory.release(saved.mark);
    batch.reset();
  }

  // A pass that fails or is cancelled leaves the saved stack as it was.
  void forward(Pass& next, std::shared_ptr<OwnedBatch> owned, Tensor embeddings) {
    if (next.keeps()) forget();
    const Arena::Mark mark = saved_memory.mark();
    Encoder::Saved kept;
    try {
      encoder.forward(next, embeddings, kept);
    } catch (...) {
      saved_memory.release(mark);
      throw;
    }
    if (!next.keeps()) return;
    saved = std::move(kept);
    pass = next;
    batch = std::move(owned);
  }
};

// The batch behind an object of JavaScript, checked against the model.
inline std::shared_ptr<OwnedBatch> batch_of(const std::shared_ptr<ModelCore>& core,
                                            Napi::Value value) {
  auto batch = read_batch(value);
  core->encoder.check(batch->view());
  return batch;
}

}  // namespace inbatch
