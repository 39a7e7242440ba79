// Everything of a model that queued work may still need when its handle is gone.
#pragma once

#include <deque>
#include <memory>
#include <unordered_map>
#include <utility>

#include "../model/encoder.h"
#include "../model/perturbation.h"
#include "batch.h"
#include "file.h"

namespace inbatch {

struct ModelCore {
  // One tower for all texts, or one of queries and one of documents, whose parameters are named
  // "document.…". Their embeddings are of one width.
  // Products with rows of tokens are of this type.
  ModelCore(const ModelSpec& spec, const std::optional<ModelSpec>& document, MemorySource& memory,
            Type type)
      : parameters(memory, type), saved_memory(memory), perturbation(memory) {
    towers.emplace_back(parameters, spec);
    if (document) {
      parameters.begin_part("document.");
      towers.emplace_back(parameters, *document);
      expect(towers[1].width() == towers[0].width(), "spec",
             "expected towers of one width, got " + std::to_string(towers[0].width()) + " and " +
                 std::to_string(towers[1].width()));
    }
    parameters.allocate();
  }

  Encoder& tower(int64_t number) {
    expect(number >= 0 && number < int64_t(towers.size()), "model",
           "expected a tower below " + std::to_string(towers.size()) + ", got " +
               std::to_string(number));
    return towers[size_t(number)];
  }

  int64_t recorded() const {
    int64_t sum = 0;
    for (const Encoder& tower : towers) sum += tower.recorded();
    return sum;
  }

  Parameters parameters;
  // Of weights that are held rounded, as they were read; of fewer values than there are when they
  // did not come in their order.
  std::unordered_map<const Parameter*, ValueHash> hashes;
  std::deque<Encoder> towers;
  // The pass that waits for its backward.
  Arena saved_memory;
  Encoder::Saved saved;
  Pass pass;
  Encoder* walked = nullptr;  // the tower of that pass
  std::shared_ptr<OwnedBatch> batch;
  Perturbation perturbation;

  // Gives up the pass that waits, if there is one.
  void forget() {
    if (batch) saved_memory.release(saved.mark);
    batch.reset();
  }

  // A pass that fails or is cancelled leaves the saved stack as it was.
  void forward(Encoder& encoder, Pass& next, std::shared_ptr<OwnedBatch> owned, Tensor embeddings) {
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
    walked = &encoder;
    batch = std::move(owned);
  }
};

// The batch behind an object of JavaScript, checked against the tower that walks it.
inline std::shared_ptr<OwnedBatch> batch_of(const Encoder& encoder, Napi::Value value) {
  auto batch = read_batch(value);
  encoder.check(batch->view());
  return batch;
}

}  // namespace inbatch
