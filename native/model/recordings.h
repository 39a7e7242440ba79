// Passes of a card that are asked for with one call: what a pass asks the queue for is recorded
// once for all batches of a bucket, and asked for again with other ids.
//
// A batch is filled up to the extents of its bucket, so that every grid follows from the bucket
// alone: what is left of the tokens is spread over the texts that are left, behind the others. A
// recorded pass uses the scratch that it was recorded with; when
// that has moved it is recorded anew. No bit of a text depends on any of this.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "../base/card.h"
#include "pass.h"

namespace inbatch {

// What the launches of a pass follow from.
struct PassShape {
  int64_t tokens = 0, texts = 0, columns = 0;
  bool has_skip = false, unpooled = false, normalize = false;
  bool operator==(const PassShape&) const = default;
};

// A batch in the extents of its bucket: offsets, skip and ids, end to end.
class FilledBatch {
 public:
  // Of a batch in the memory of this machine, whose texts have at most `longest` tokens; 0: any.
  FilledBatch(const Batch& batch, int64_t longest);
  int64_t tokens() const { return tokens_; }
  int64_t texts() const { return texts_; }
  Tensor numbers() { return {numbers_.data(), 1, int64_t(numbers_.size()), Type::I32, Place::Cpu}; }
  // The batch whose numbers lie here.
  Batch view(const Batch& batch, const Tensor& numbers) const;

 private:
  void fill_offsets(const Batch& batch);

  int64_t tokens_, texts_;
  std::vector<int32_t> numbers_;
};

class Recordings {
 public:
  // Larger batches keep a card busy for longer than it takes to ask for their launches.
  static constexpr int64_t kMostTokens = 8192;
  static bool takes(const Batch& batch) {
    return batch.tokens() > 0 && batch.tokens() <= kMostTokens;
  }

  // Whether a pass of this shape has come often enough to be recorded; counts it.
  bool is_worth(const PassShape& shape);
  // Asks for what `body` asks for, which is the same for each pass of the shape: launches, copies
  // within the card, scratch that is given back.
  void run(const Stream& stream, const PassShape& shape, const std::function<void()>& body);
  int64_t count() const;
  // To be called when memory that passes read has moved.
  void clear() { entries_.clear(); }

 private:
  struct Entry {
    PassShape shape;
    int64_t seen = 0;
    // The scratch that it uses, by the times that memory was taken for it: once a pass has taken
    // none, the next finds it the same.
    uint64_t scratch = 0;
    bool is_settled = false;
    std::unique_ptr<Recording> recording;
  };
  Entry& entry_of(const PassShape& shape);

  std::list<Entry> entries_;  // the last used first
};

}  // namespace inbatch
