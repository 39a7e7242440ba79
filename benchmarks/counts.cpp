// What valgrind counts instructions of (counts.mjs): one call of encode(), or one step of training
// without its loss, of a model of MiniLM's shape with made-up weights, on one thread. Only what
// runs inside counted_encode() or counted_step() is counted.
//
//   counts encode|train [texts of 128 tokens: 8] [blocks: 6]

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../native/cpu/kernels.h"
#include "../native/model/encoder.h"
#include "../native/model/optimizer.h"

namespace {

using namespace inbatch;

constexpr int64_t kTokens = 128, kWidth = 384;

ModelSpec spec_of_mini_lm(int blocks) {
  ModelSpec spec;
  spec.width = spec.embedding.width = kWidth;
  spec.embedding.vocabulary = 30522;
  spec.embedding.positions = 512;
  spec.embedding.types = 2;
  spec.embedding.norm = NormSpec{};
  for (int index = 0; index < blocks; ++index) {
    BlockSpec block;
    block.weights = index;
    block.attention.heads = block.attention.key_heads = 12;
    block.attention.head_width = kWidth / 12;
    block.attention.scale = 0.176776695f;
    block.attention.norms.after = NormSpec{};
    block.mlp.width = 4 * kWidth;
    block.mlp.norms.after = NormSpec{};
    spec.blocks.push_back(block);
  }
  spec.head.pooling = {Pooling::Mean};
  spec.head.normalize = true;
  return spec;
}

void fill(const Tensor& x, float size) {
  uint32_t state = 1;
  for (int64_t i = 0; i < x.size(); ++i) {
    state = state * 1664525u + 1013904223u;
    x.f32()[i] = size * (float(state >> 8) / 8388608.0f - 1.0f);
  }
}

struct Work {
  Pool pool{1};
  Stream stream{Place::Cpu, &pool};
  Parameters parameters;
  Encoder encoder;
  Arena memory, saved_memory;
  Batch batch;
  Tensor embeddings, gradient;

  Work(int64_t texts, int blocks) : encoder(parameters, spec_of_mini_lm(blocks)) {
    parameters.allocate();
    for (const Parameter& p : parameters.all()) fill(p.value, 0.05f);
    batch.ids = memory.tensor(1, texts * kTokens, Type::I32);
    batch.offsets = memory.tensor(1, texts + 1, Type::I32);
    batch.texts = memory.tensor(1, texts, Type::I32);
    for (int64_t i = 0; i < batch.tokens(); ++i) {
      batch.ids.i32()[i] = int32_t(1000 + i * 7919 % 29000);
    }
    for (int64_t n = 0; n <= texts; ++n) batch.offsets.i32()[n] = int32_t(n * kTokens);
    for (int64_t n = 0; n < texts; ++n) batch.texts.i32()[n] = int32_t(n);
    embeddings = memory.tensor(texts, kWidth);
    gradient = memory.tensor(texts, kWidth);
    fill(gradient, 0.01f);
  }
};

}  // namespace

// Names that valgrind finds: it counts from where they are entered to where they are left.
extern "C" __attribute__((noinline)) void counted_encode(Work& work) {
  work.encoder.encode(work.stream, work.batch, work.embeddings, true);
}

extern "C" __attribute__((noinline)) void counted_step(Work& work) {
  work.parameters.zero_gradients(work.stream);
  Pass pass{work.stream, work.batch, &work.saved_memory, {0, 1}, {0.1f, 0.1f}, false};
  Encoder::Saved saved;
  work.encoder.forward(pass, work.embeddings, saved);
  work.encoder.backward(pass, work.gradient, saved);
  OptimizerSettings settings;
  settings.rate = 1e-5;
  settings.decay = 0.01;
  settings.clip = 1;
  update(work.stream, work.parameters, settings, {});
}

int main(int count, char** arguments) {
  const bool trains = count > 1 && std::strcmp(arguments[1], "train") == 0;
  const auto number = [&](int at, int usual) {
    return count > at ? std::atoi(arguments[at]) : usual;
  };
  Work work(number(2, 8), number(3, 6));
  if (trains) {
    work.parameters.prepare_training(work.stream, {}, {});
    work.parameters.pack(work.stream);
    counted_step(work);
  } else {
    work.parameters.pack(work.stream);
    counted_encode(work);
  }
  std::printf("%s, embeddings begin with %g\n", cpu::kernels().name, work.embeddings.f32()[0]);
}
