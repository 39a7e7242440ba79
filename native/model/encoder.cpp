// The transformer. See encoder.h.
#include "encoder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "../ops/layout.h"

namespace inbatch {
namespace {

constexpr int64_t kGroup = 384;        // tokens that one thread walks through all layers at once
constexpr int64_t kCardGroup = 32768;  // tokens that fill a card

struct Group {
  int64_t first, count;  // texts
};

std::vector<Group> groups_of(const Batch& batch, int64_t first, int64_t most) {
  std::vector<Group> groups;
  const int32_t* offsets = batch.offsets.i32();
  while (first < batch.size()) {
    int64_t end = first + 1;
    while (end < batch.size() && offsets[end + 1] - offsets[first] <= most) ++end;
    groups.push_back({first, end - first});
    first = end;
  }
  return groups;
}

void lower(std::atomic<int64_t>& least, int64_t value) {
  int64_t seen = least.load();
  while (value < seen && !least.compare_exchange_weak(seen, value)) {
  }
}

// A tensor of this machine where the stream works: itself, or a copy that is pushed on the arena.
Tensor brought(const Stream& stream, const Tensor& x, Arena& arena) {
  if (x.empty() || x.place == stream.place) return x;
  const Tensor there = arena.tensor(x.rows, x.cols, x.type);
  stream.upload(there.data, x.data, size_t(x.bytes()));
  return there;
}

Batch brought(const Stream& stream, const Batch& batch, Arena& arena) {
  Batch there = batch;
  for (Tensor* x : {&there.ids, &there.offsets, &there.texts, &there.skip}) {
    *x = brought(stream, *x, arena);
  }
  return there;
}

// The group as a batch of its own, whose offsets take the place of `from_zero`.
Batch cut(const Batch& batch, Group group, std::vector<int32_t>& from_zero) {
  const int32_t* offsets = batch.offsets.i32() + group.first;
  from_zero.resize(size_t(group.count + 1));
  for (size_t i = 0; i < from_zero.size(); ++i) from_zero[i] = offsets[i] - offsets[0];
  Batch part = batch;
  part.offsets = {from_zero.data(), 1, group.count + 1, Type::I32, Place::Cpu};
  const int64_t tokens = from_zero.back();
  part.ids.data = batch.ids.i32() + offsets[0];
  part.ids.rows = 1;
  part.ids.cols = tokens;
  part.texts = {};
  if (!batch.skip.empty()) {
    part.skip.data = batch.skip.i32() + group.first;
    part.skip.cols = group.count;
  }
  return part;
}

// In which order attention begins the texts.
Tensor ordered(const Pass& pass) {
  const int64_t tokens = pass.batch.tokens();
  const Tensor order =
      pass.kept(2, AttentionOrder::most_runs(tokens, pass.batch.size()), Type::I32);
  pass.run(AttentionOrder{int32_t(tokens), pass.batch.offsets, order});
  return order;
}

// Slopes of ALiBi (Press et al. 2022): powers of 2^(-8 / p) for the largest power of two p of
// heads, then every other power of the next one's for the rest.
std::vector<float> alibi_slopes(int64_t heads) {
  int64_t power = 1;
  while (power * 2 <= heads) power *= 2;
  std::vector<float> slopes;
  for (int64_t head = 0; head < heads; ++head) {
    const double exponent = head < power ? double(head + 1) / double(power)
                                         : double(2 * (head - power) + 1) / double(2 * power);
    slopes.push_back(float(std::exp2(-8 * exponent)));
  }
  return slopes;
}

void check_attention(const AttentionSpec& spec) {
  expect(spec.heads > 0 && spec.head_width > 0 && spec.key_heads > 0 &&
             spec.heads % spec.key_heads == 0,
         "spec",
         "expected heads of some width, and key heads that divide them, got " +
             std::to_string(spec.heads) + " heads of " + std::to_string(spec.head_width) + " and " +
             std::to_string(spec.key_heads) + " key heads");
  expect(!spec.rotary || 2 * int64_t(spec.rotary->frequencies.size()) <= spec.head_width, "spec",
         "expected at most one frequency for two columns of a head");
}

}  // namespace

Block Block::declare(Parameters& parameters, int index, const BlockSpec& spec, int64_t width) {
  const std::string name = "blocks." + std::to_string(spec.weights);
  Block block;
  block.attention.layer =
      Attention::declare(parameters, name + ".attention", spec.attention, width);
  block.attention.declare_norms(parameters, name + ".attention", spec.attention.norms, width);
  block.mlp.layer = Mlp::declare(parameters, name + ".mlp", spec.mlp, width);
  block.mlp.declare_norms(parameters, name + ".mlp", spec.mlp.norms, width);
  for (const Linear* linear : {&block.attention.layer.qkv, &block.attention.layer.output,
                               &block.mlp.layer.up, &block.mlp.layer.down}) {
    linear->weight->quantizable = true;
  }
  block.attention.site = site_of(index, kAttentionSite);
  block.attention.layer.site = site_of(index, kHeadSites);
  block.mlp.site = site_of(index, kMlpSite);
  return block;
}

void Block::forward(const Pass& pass, Tensor x, Tensor y, Saved& saved) const {
  const Tensor h = pass.kept_like(x);
  attention.forward(pass, x, h, saved.attention);
  mlp.forward(pass, h, y, saved.mlp);
}

void Block::backward(const Pass& pass, Tensor dy, Tensor dx, const Saved& saved) const {
  Scope scope(pass.scratch());
  const Tensor dh = pass.temporary_like(dy);
  mlp.backward(pass, dy, dh, saved.mlp);
  attention.backward(pass, dh, dx, saved.attention);
}

Encoder::Encoder(Parameters& parameters, const ModelSpec& spec)
    : model_width_(spec.width),
      type_(parameters.type()),
      embedding_spec_(spec.embedding),
      memory_(parameters.memory()) {
  expect(spec.width > 0 && spec.embedding.width > 0 && spec.embedding.vocabulary > 0, "spec",
         "expected a width and a vocabulary");
  embedding_ = Embedding::declare(parameters, spec.embedding, spec.width);
  for (size_t i = 0; i < spec.blocks.size(); ++i) declare_block(parameters, int(i), spec);
  final_ = Norm::declare(parameters, "final", spec.final_norm, spec.width);
  if (spec.layer_mean)
    mean_ = LayerMean::declare(parameters, *spec.layer_mean, spec.blocks.size(), spec.width);
  head_ = Head::declare(parameters, spec.head, spec.width);
}

void Encoder::declare_block(Parameters& parameters, int index, const ModelSpec& spec) {
  const AttentionSpec& attention = spec.blocks[size_t(index)].attention;
  check_attention(attention);
  Block block = Block::declare(parameters, index, spec.blocks[size_t(index)], spec.width);
  if (attention.rotary) block.attention.layer.rotary = table_of(*attention.rotary);
  Distances& distances = block.attention.layer.distances;
  if (attention.alibi) {
    expect(attention.heads == spec.blocks[0].attention.heads, "spec",
           "expected blocks of one number of heads where scores fall with the distance");
    slopes_to_come_ = alibi_slopes(attention.heads);
    slopes_.allocate(attention.heads);
    distances.slopes = slopes_.view(0, 1, attention.heads);
  }
  if (spec.relative_bias) {
    distances.bias =
        parameters.declare("relativeBias", spec.relative_bias->buckets, attention.heads, false);
    distances.bias->decay = false;
    distances.furthest = spec.relative_bias->furthest;
  }
  blocks_.push_back(std::move(block));
}

const RotaryTable* Encoder::table_of(const RotarySpec& spec) {
  for (const RotaryTable& table : rotary_) {
    if (table.spec().frequencies == spec.frequencies && table.spec().magnitude == spec.magnitude)
      return &table;
  }
  return &rotary_.emplace_back(spec, memory_);
}

void Encoder::prepare(const Stream& stream, const Batch& batch) {
  if (!slopes_to_come_.empty()) {
    stream.upload(slopes_.view(0, 1, 1).data, slopes_to_come_.data(),
                  slopes_to_come_.size() * sizeof(float));
    slopes_to_come_.clear();
  }
  if (rotary_.empty()) return;
  const int32_t* offsets = batch.offsets.i32();
  int64_t longest = 0;
  for (int64_t text = 0; text < batch.size(); ++text)
    longest = std::max(longest, int64_t(offsets[text + 1]) - offsets[text]);
  for (RotaryTable& table : rotary_) {
    if (table.reach(stream, longest)) recordings_.clear();
  }
}

void Encoder::check(const Batch& batch) const {
  const int32_t *ids = batch.ids.i32(), *offsets = batch.offsets.i32();
  const int64_t longest = embedding_spec_.positions - embedding_spec_.position_offset;
  expect(offsets[0] == 0 && offsets[batch.size()] == batch.tokens(), "batch",
         "expected offsets from 0 to the number of tokens");
  for (int64_t text = 0; text < batch.size(); ++text) {
    const int64_t tokens = int64_t(offsets[text + 1]) - offsets[text];
    expect(tokens >= 0, "batch", "expected rising offsets");
    expect(!embedding_spec_.positions || tokens <= longest, "batch",
           "expected texts of at most " + std::to_string(longest) + " tokens, got " +
               std::to_string(tokens));
  }
  for (int64_t token = 0; token < batch.tokens(); ++token) {
    expect(ids[token] >= 0 && ids[token] < embedding_spec_.vocabulary, "batch",
           "expected ids below " + std::to_string(embedding_spec_.vocabulary) + ", got " +
               std::to_string(ids[token]));
  }
  if (!batch.skip.empty()) expect_size("batch", "skip", batch.skip, batch.size());
  expect(!batch.unpooled || head_.spec.pooling.size() <= 1, "batch",
         "expected a head of at most one pooling where rows of tokens are wanted");
}

void Encoder::embed(Pass& pass, Tensor embeddings, bool normalize) const {
  Saved saved;
  if (embeddings.cols == width()) return forward(pass, embeddings, saved, normalize);
  const Tensor whole = pass.temporary(embeddings.rows, width());
  forward(pass, whole, saved, false);
  pass.run(Cut{0, whole, embeddings});
  if (!normalize) return;
  pass.run(NormalizeForward{embeddings, embeddings, pass.temporary(embeddings.rows, 1)});
}

// Of small batches the launches take longer than the work: those whose shape comes often are
// recorded.
Tensor Encoder::embed_on_card(Pass& pass, int64_t rows, int64_t columns, bool normalize) {
  const Batch batch = pass.batch;
  if (Recordings::takes(batch)) {
    const EmbeddingSpec& spec = embedding_spec_;
    const int64_t longest = spec.positions ? spec.positions - spec.position_offset : 0;
    FilledBatch filled(batch, longest);
    const PassShape shape{filled.tokens(),     filled.texts(), columns,
                          !batch.skip.empty(), batch.unpooled, normalize};
    if (recordings_.is_worth(shape)) {
      const Tensor numbers = brought(pass.stream, filled.numbers(), pass.scratch());
      pass.batch = filled.view(batch, numbers);
      const Tensor there = pass.temporary(head_.rows(pass.batch), columns);
      recordings_.run(pass.stream, shape, [&] { embed(pass, there, normalize); });
      return there;
    }
  }
  const Tensor there = pass.temporary(rows, columns);
  embed(pass, there, normalize);
  return there;
}

int64_t Encoder::encode(const Stream& stream, const Batch& batch, Tensor embeddings,
                        std::optional<bool> normalize, int64_t first_text) {
  prepare(stream, batch);
  const std::vector<Group> groups = groups_of(batch, first_text, stream.card ? kCardGroup : kGroup);
  const int64_t count = int64_t(groups.size());
  std::atomic<int64_t> left{count};  // the first group that was left to later
  const auto walk = [&](const Stream& self, Group group) {
    Scope scope(self.scratch());
    std::vector<int32_t> offsets;
    Pass pass{self, cut(batch, group, offsets), nullptr, {}, {}};
    const int64_t first = head_.pools(batch) ? group.first : batch.offsets.i32()[group.first];
    const Tensor rows = embeddings.slice(first, head_.rows(pass.batch));
    const bool is_unit = normalize.value_or(head_.spec.normalize);
    if (!self.card) return embed(pass, rows, is_unit);
    const Tensor there = embed_on_card(pass, rows.rows, rows.cols, is_unit);
    self.download(rows.data, there.data, size_t(rows.bytes()));
  };
  if (count < stream.threads()) {
    for (const Group group : groups) walk(stream, group);
    return batch.size();
  }
  stream.parallel_for(count, [&](int64_t item, int worker) {
    if (item >= stream.threads() && stream.is_wanted()) lower(left, item);
    if (item < left.load()) walk(stream.alone(worker), groups[size_t(item)]);
  });
  return left == count ? batch.size() : groups[size_t(left)].first;
}

void Encoder::forward(Pass& pass, Tensor embeddings, Saved& saved, bool normalize) const {
  const int64_t tokens = pass.batch.tokens();
  if (pass.saved) saved.mark = pass.saved->mark();
  Scope scope(pass.scratch());
  pass.batch = brought(pass.stream, pass.batch, pass.saved ? *pass.saved : pass.scratch());
  if (type_ == Type::BF16) pass.batch.order = ordered(pass);
  Tensor x = pass.kept(tokens, model_width_, type_), next = {};
  embedding_.forward(pass, x, saved.embedding);
  saved.blocks.resize(blocks_.size());
  const int64_t last = int64_t(blocks_.size());
  if (mean_) mean_->begin(pass, saved.mean);
  if (mean_ && last > 0) mean_->take(pass, 0, x, saved.mean);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    if (pass.keeps() || next.empty()) next = pass.kept_like(x);
    Scope block_scope(pass.scratch());
    forward_block(pass, i, x, next, saved);
    std::swap(x, next);
    if (mean_ && int64_t(i) + 1 < last) mean_->take(pass, int64_t(i) + 1, x, saved.mean);
  }
  if (final_) {
    const Tensor y = pass.kept_like(x);
    final_->forward(pass, x, {}, y, saved.final);
    x = y;
  }
  if (mean_) {
    mean_->take(pass, last, x, saved.mean);
    x = saved.mean.y;
  }
  head_.forward(pass, x, embeddings, saved.head, normalize);
}

void Encoder::forward_block(Pass& pass, size_t index, Tensor x, Tensor y, Saved& saved) const {
  if (!pass.keeps() || !pass.recomputes) {
    blocks_[index].forward(pass, x, y, saved.blocks[index]);
    return;
  }
  if (index == 0) saved.between.push_back(x);
  saved.between.push_back(y);
  Scope scope(*pass.saved);
  blocks_[index].forward(pass, x, y, saved.blocks[index]);
}

// To recompute, a block writes its output where it already is: no block above reads it any more.
void Encoder::backward_block(Pass& pass, size_t index, Tensor dy, Tensor dx, Saved& saved) const {
  if (!pass.recomputes) {
    blocks_[index].backward(pass, dy, dx, saved.blocks[index]);
    return;
  }
  Scope scope(*pass.saved);
  Block::Saved& again = saved.blocks[index] = {};
  blocks_[index].forward(pass, saved.between[index], saved.between[index + 1], again);
  blocks_[index].backward(pass, dy, dx, again);
}

void Encoder::backward(Pass& pass, Tensor dembeddings, Saved& saved) const {
  const int64_t tokens = pass.batch.tokens();
  Scope scope(pass.scratch());
  Tensor dy = pass.temporary(tokens, model_width_, type_), dx = pass.temporary_like(dy);
  LayerMean::Gradient mean;
  if (mean_) {
    mean = {pass.temporary(tokens, model_width_), pass.temporary(tokens, mean_->layers)};
    head_.backward(pass, dembeddings, mean.dy, saved.head);
    mean_->backward(pass, int64_t(blocks_.size()), dy, saved.mean, mean);
  } else {
    head_.backward(pass, dembeddings, dy, saved.head);
  }
  if (final_) final_->backward(pass, dy, dy, saved.final);
  for (size_t i = blocks_.size(); i-- > 0;) {
    backward_block(pass, i, dy, dx, saved);
    std::swap(dy, dx);
    if (mean_) mean_->backward(pass, int64_t(i), dy, saved.mean, mean);
  }
  if (mean_) mean_->backward_weights(pass, mean);
  embedding_.backward(pass, dy, saved.embedding);
  pass.saved->release(saved.mark);
  saved = {};
}

}  // namespace inbatch
