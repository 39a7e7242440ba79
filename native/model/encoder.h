// The transformer: embedding, blocks, final norm, head; and back.
#pragma once

#include <deque>
#include <vector>

#include "attention.h"
#include "embedding.h"
#include "head.h"
#include "layer_mean.h"
#include "mlp.h"
#include "recordings.h"
#include "residual.h"

namespace inbatch {

struct Block {
  Residual<Attention> attention;
  Residual<Mlp> mlp;

  struct Saved {
    Residual<Attention>::Saved attention;
    Residual<Mlp>::Saved mlp;
  };

  // `index` is the block's place; its parameters are those of its number of weights.
  static Block declare(Parameters& parameters, int index, const BlockSpec& spec, int64_t width);
  void forward(const Pass& pass, Tensor x, Tensor y, Saved& saved) const;
  void backward(const Pass& pass, Tensor dy, Tensor dx, const Saved& saved) const;
};

class Encoder {
 public:
  struct Saved {
    Embedding::Saved embedding;
    std::vector<Block::Saved> blocks;
    std::vector<Tensor> between;  // what each block reads and the last one writes, to recompute
    Norm::Saved final;
    LayerMean::Saved mean;
    Head::Saved head;
    Arena::Mark mark;
  };

  // Declares its parameters; whoever made these allocates them afterwards.
  Encoder(Parameters& parameters, const ModelSpec& spec);

  int64_t width() const { return head_.width; }
  // Rows of the embeddings of a batch: its texts, or its tokens without pooling.
  int64_t rows(const Batch& batch) const { return head_.rows(batch); }
  // Refuses ids outside the vocabulary and texts longer than the positions.
  void check(const Batch& batch) const;

  // embeddings (N, D) in the memory of this machine, D at most E, overwritten with the first D
  // columns (by a card once stream.wait() returns), of unit length when normalize says so or,
  // unsaid, when the head does. The texts are cut into groups that one thread each walks through
  // all layers, so activations stay in its cache; a batch of few groups uses all threads per op. A
  // card walks large groups. Begins with the text `first` and returns the first that is not done:
  // when others want the device it stops after a group for each thread.
  int64_t encode(const Stream& stream, const Batch& batch, Tensor embeddings,
                 std::optional<bool> normalize, int64_t first = 0);

  // embeddings (N, E), or (T, E) without pooling, where the device has its memory; the batch of the
  // pass lies in that of this machine and is brought there. Leaves in saved what backward reads.
  void forward(Pass& pass, Tensor embeddings, Saved& saved) {
    prepare(pass.stream, pass.batch);
    forward(pass, embeddings, saved, head_.spec.normalize);
  }
  // Passes of encode() that are held as recordings.
  int64_t recorded() const { return recordings_.count(); }
  // Adds the gradients of all parameters; pops what forward pushed.
  void backward(Pass& pass, Tensor dembeddings, Saved& saved) const;

 private:
  int64_t model_width_;
  Type type_;  // of the rows of tokens
  EmbeddingSpec embedding_spec_;
  MemorySource& memory_;
  std::deque<RotaryTable> rotary_;     // one of each kind
  Flat slopes_{memory_};               // of ALiBi
  std::vector<float> slopes_to_come_;  // what prepare() puts there
  Embedding embedding_;
  std::vector<Block> blocks_;
  std::optional<Norm> final_;
  std::optional<LayerMean> mean_;
  Head head_;
  Recordings recordings_;

  void declare_block(Parameters& parameters, int index, const ModelSpec& spec);
  const RotaryTable* table_of(const RotarySpec& spec);
  // Makes the tables reach the longest text; not while a pass reads them.
  void prepare(const Stream& stream, const Batch& batch);
  void forward(Pass& pass, Tensor embeddings, Saved& saved, bool normalize) const;
  // Through one block; what it pushed is dropped when the pass computes blocks again.
  void forward_block(Pass& pass, size_t index, Tensor x, Tensor y, Saved& saved) const;
  void backward_block(Pass& pass, size_t index, Tensor dy, Tensor dx, Saved& saved) const;
  void embed(Pass& pass, Tensor embeddings, bool normalize) const;
  // Where so many rows of embeddings then begin.
  Tensor embed_on_card(Pass& pass, int64_t rows, int64_t columns, bool normalize);
};

}  // namespace inbatch
