// One journey of a batch through the model, forward and perhaps back.
//
// What backward will read is pushed on the saved stack; everything else lives in scopes of scratch.
// A pass that keeps nothing pushes both on scratch. Rows of tokens have the type of the rows that
// they are made of, which begin in that of the model; vectors of texts, statistics and sums are
// f32.
#pragma once

#include "../ops/activation.h"
#include "../ops/op.h"
#include "../ops/run.h"

namespace inbatch {

// Packed texts: tokens end to end plus offsets. There is no padding.
struct Batch {
  Tensor ids;             // (T) i32
  Tensor offsets;         // (N + 1) i32
  Tensor texts;           // (N) i32: number of each text in the whole batch of the step
  Tensor skip;            // (N) i32: leading tokens of each text that are not pooled; or empty
  bool unpooled = false;  // the rows of all tokens are wanted, whatever the head's poolings
  Tensor order;           // (2, R) i32: what AttentionOrder leaves, for attention in bf16; or empty
  int64_t tokens() const { return ids.size(); }
  int64_t size() const { return offsets.size() - 1; }
};

struct DropoutRates {
  float hidden = 0, attention = 0;
};

struct Pass {
  Stream stream;
  Batch batch;
  Arena* saved = nullptr;  // null: nothing is kept
  RandomKey key;
  DropoutRates dropout;
  // Whether only what a block reads is kept, and the rest computed again when it is gone back
  // through.
  bool recomputes = false;

  bool keeps() const { return saved != nullptr; }
  Arena& scratch() const { return stream.scratch(); }
  Tensor kept(int64_t rows, int64_t cols, Type type = Type::F32) const {
    return (saved ? *saved : scratch()).tensor(rows, cols, type);
  }
  Tensor kept_like(const Tensor& x) const { return kept(x.rows, x.cols, x.type); }
  Tensor temporary(int64_t rows, int64_t cols, Type type = Type::F32) const {
    return scratch().tensor(rows, cols, type);
  }
  Tensor temporary_like(const Tensor& x) const { return temporary(x.rows, x.cols, x.type); }

  template <class Op>
  void run(const Op& op) const {
    inbatch::run(stream, op);
  }

  // Drops elements of x in place; its own backward.
  void drop(Tensor x, int site) const {
    if (dropout.hidden == 0) return;
    run(Dropout{dropout.hidden, int32_t(key.seed), int32_t(key.step), site, x, batch.offsets,
                batch.texts});
  }
};

// Sites of random numbers: 0 the embedding, then these for every block.
constexpr int site_of(int block, int place) { return 16 + block * 4096 + place; }
constexpr int kAttentionSite = 0, kMlpSite = 1, kHeadSites = 16;

}  // namespace inbatch
