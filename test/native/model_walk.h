// A tiny model through all it does: encoding, training steps with dropout, and work that is given
// up in the middle.
#pragma once

#include <chrono>
#include <cstring>
#include <thread>

#include "../../native/model/encoder.h"
#include "../../native/model/optimizer.h"
#include "../../native/model/perturbation.h"
#include "ops_walk.h"

namespace inbatch::driver {

constexpr int64_t kWidth = 24;

inline BlockSpec block_of(int64_t weights) {
  BlockSpec block;
  block.weights = weights;
  block.attention.heads = block.attention.key_heads = 3;
  block.attention.head_width = kWidth / 3;
  block.attention.scale = 0.35f;
  block.attention.norms.after = NormSpec{};
  block.mlp.width = 2 * kWidth + 3;
  block.mlp.norms.after = NormSpec{};
  return block;
}

inline ModelSpec plain_spec() {
  ModelSpec spec;
  spec.width = kWidth;
  spec.embedding.vocabulary = 40;
  spec.embedding.width = kWidth;
  spec.embedding.positions = 64;
  spec.embedding.types = 2;
  spec.embedding.norm = NormSpec{};
  spec.blocks = {block_of(0), block_of(1)};
  spec.head.pooling = {Pooling::Mean};
  spec.head.normalize = true;
  return spec;
}

// Every other part: gates, grouped heads that turn and are normed, biases by distance, shared
// weights, narrow tables, several poolings.
inline ModelSpec rich_spec() {
  ModelSpec spec = plain_spec();
  NormSpec rms;
  rms.kind = NormKind::Rms;
  rms.bias = false;
  rms.offset = 1;
  for (BlockSpec& block : spec.blocks) {
    block.weights = 0;
    AttentionSpec& attention = block.attention;
    attention.key_heads = 1;
    attention.causal = &block == &spec.blocks.front();
    attention.window = attention.causal ? 0 : 9;
    attention.alibi = attention.causal;
    attention.rotary = RotarySpec{{1, 0.1, 0.01}, 1.5f};
    attention.head_norm = rms;
    attention.norms = {rms, rms, {}};
    block.mlp.gate = Gate::First;
    block.mlp.activation = Activation::Silu;
    block.mlp.norms = {rms, rms, {}};
  }
  spec.embedding.width = 10;
  spec.embedding.scale = 3;
  spec.embedding.positions = 0;
  spec.relative_bias = RelativeBiasSpec{8, 16};
  spec.final_norm = rms;
  spec.head.pooling = {Pooling::Max, Pooling::MeanSqrtLen, Pooling::WeightedMean, Pooling::Last,
                       Pooling::Gem};
  DenseSpec dense;
  dense.width = 9;
  dense.norm = NormSpec{};
  spec.head.dense.push_back(dense);
  return spec;
}

// The rows of all tokens, without a head.
inline ModelSpec headless_spec() {
  ModelSpec spec = plain_spec();
  spec.head = {};
  return spec;
}

// Norms before the layers and at the end; a dense layer over the pooled rows; no biases.
inline ModelSpec bare_spec() {
  ModelSpec spec = plain_spec();
  for (BlockSpec& block : spec.blocks) {
    std::swap(block.attention.norms.before, block.attention.norms.after);
    std::swap(block.mlp.norms.before, block.mlp.norms.after);
    block.attention.bias = block.mlp.bias = false;
  }
  spec.embedding.norm.reset();
  spec.final_norm = NormSpec{};
  spec.head.pooling = {Pooling::Cls};
  DenseSpec dense;
  dense.width = 9;
  dense.activation = Activation::Tanh;
  spec.head.dense.push_back(dense);
  return spec;
}

class ModelWalk {
 public:
  ModelWalk(const ModelSpec& spec, Pool& pool, Optimizer optimizer)
      : encoder_(parameters_, spec), stream_{Place::Cpu, &pool}, draw_(extents()) {
    parameters_.allocate();
    batch_.ids = draw_.integers(1, draw_.tokens, spec.embedding.vocabulary);
    batch_.offsets = draw_.offsets();
    batch_.texts = draw_.numbers_of_texts();
    batch_.skip = draw_.integers(1, draw_.texts, 2);
    encoder_.check(batch_);
    for (const Parameter& p : parameters_.all()) {
      std::memcpy(p.value.data, draw_.floats(p.rows, p.cols).data, size_t(p.value.bytes()));
    }
    TrainingSettings settings;
    settings.optimizer = optimizer;
    settings.average = true;
    parameters_.prepare_training(stream_, {parameters_.all().back().name}, settings);
  }

  // The hash of the embeddings.
  uint64_t encode(const std::atomic<bool>* cancelled = nullptr) {
    Draw out(Extents{});
    const Tensor embeddings = out.blank(encoder_.rows(batch_), encoder_.width() - 1);
    Stream stream = stream_;
    stream.cancelled = cancelled;
    encoder_.encode(stream, batch_, embeddings, true);
    demand(!out.has_gaps(), "encode: expected every element overwritten");
    return out.hash();
  }

  // The same with others waiting for the device all the while.
  uint64_t encode_in_turns() {
    Draw out(Extents{});
    const Tensor embeddings = out.blank(encoder_.rows(batch_), encoder_.width() - 1);
    const std::atomic<bool> wanted{true};
    Stream stream = stream_;
    stream.wanted = &wanted;
    int turns = 0;
    for (int64_t text = 0; text < batch_.size(); ++turns) {
      text = encoder_.encode(stream, batch_, embeddings, true, text);
    }
    demand(turns > 1 || stream.threads() > 2, "encode: expected to stop for others");
    return out.hash();
  }

  // One step, every other one with recomputed blocks; the hash of the embeddings.
  uint64_t train(int step, const std::atomic<bool>* cancelled = nullptr) {
    Draw out(Extents{});
    const Tensor embeddings = out.blank(encoder_.rows(batch_), encoder_.width());
    parameters_.zero_gradients(stream_);
    Pass pass{stream_, batch_, &saved_memory_, {7, uint32_t(step)}, {0.1f, 0.2f}, step % 2 == 0};
    pass.stream.cancelled = cancelled;
    Encoder::Saved saved;
    const Arena::Mark mark = saved_memory_.mark();
    try {
      encoder_.forward(pass, embeddings, saved);
      encoder_.backward(pass, out.floats(embeddings.rows, embeddings.cols), saved);
    } catch (const Cancelled&) {
      saved_memory_.release(mark);
      throw;
    }
    demand(!out.has_gaps(), "forward: expected every element overwritten");
    OptimizerSettings settings;
    settings.rate = 1e-3;
    settings.clip = 1;
    settings.clip_value = 0.01;
    settings.average_share = 0.1;
    settings.step = step;
    perturb();
    demand(std::isfinite(update(stream_, parameters_, settings, {}).norm),
           "update: expected a norm");
    return out.hash();
  }

  // Moves weights in both ways and puts them back.
  void perturb() {
    const uint64_t before = weights();
    perturbation_.hold_gradients(stream_, parameters_);
    for (const PerturbSettings& settings :
         {PerturbSettings{false, 0.3, 0.5, 0}, PerturbSettings{true, 0.1, 0, 0.01}}) {
      for (int time = 0; time < 3; ++time) perturbation_.move(stream_, parameters_, settings);
      demand(weights() != before, "perturb: expected other weights");
      perturbation_.undo(stream_, parameters_);
      demand(weights() == before, "undo: expected the weights of before");
    }
    perturbation_.return_gradients(stream_, parameters_);
  }

  // The hash of all weights.
  uint64_t weights() {
    Draw out(Extents{});
    for (const Parameter& p : parameters_.all()) {
      parameters_.read(stream_, p, 0, out.blank(p.rows, p.cols));
    }
    demand(!out.has_gaps(), "read: expected every weight");
    return out.hash();
  }

  // Cancels work after some microseconds; it may be done by then.
  template <class F>
  void give_up(F work) {
    for (int time = 0; time < 8; ++time) {
      std::atomic<bool> cancelled{false};
      std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::microseconds(250 * time));
        cancelled.store(true);
      });
      try {
        work(&cancelled);
      } catch (const Cancelled&) {
      }
      other.join();
    }
  }

 private:
  // Enough tokens for several groups of texts.
  static Extents extents() {
    Extents extents;
    for (int text = 0; text < 48; ++text) extents.lengths.push_back(text * 17 % 41);
    return extents;
  }

  Parameters parameters_;
  Encoder encoder_;
  Stream stream_;
  Draw draw_;
  Batch batch_;
  Arena saved_memory_;
  Perturbation perturbation_;
};

// The whole life of a model; the hashes of what it computed on the way.
inline std::vector<uint64_t> live(const ModelSpec& spec, Pool& pool,
                                  Optimizer optimizer = Optimizer::AdamW) {
  ModelWalk walk(spec, pool, optimizer);
  std::vector<uint64_t> hashes;
  hashes.push_back(walk.encode());
  for (const int step : {1, 2}) hashes.push_back(walk.train(step));
  hashes.push_back(walk.weights());
  hashes.push_back(walk.encode());
  walk.give_up([&](const std::atomic<bool>* cancelled) { walk.encode(cancelled); });
  demand(walk.encode() == hashes.back(), "encode: expected the same bits after work given up");
  demand(walk.encode_in_turns() == hashes.back(), "encode: expected the same bits in turns");
  walk.give_up([&](const std::atomic<bool>* cancelled) { walk.train(3, cancelled); });
  return hashes;
}

inline void walk_models(const Pools& pools) {
  for (const ModelSpec& spec : {plain_spec(), bare_spec(), rich_spec(), headless_spec()}) {
    const auto expected = live(spec, *pools.front());
    for (const auto& pool : pools) {
      demand(live(spec, *pool) == expected, "model: expected the same bits with any threads");
    }
  }
  for (const Optimizer optimizer :
       {Optimizer::Adam, Optimizer::AdamW8, Optimizer::Lion, Optimizer::Adafactor}) {
    const auto expected = live(plain_spec(), *pools.front(), optimizer);
    for (const auto& pool : pools) {
      demand(live(plain_spec(), *pool, optimizer) == expected,
             "optimizer: expected the same bits with any threads");
    }
  }
}

}  // namespace inbatch::driver
