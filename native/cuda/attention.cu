// Attention within each text. Contract: ops/attention.h.
//
// Grid (slots of tiles of 32 tokens, heads, columns / W), 128 threads: a block owns a tile of one
// text and walks the tiles of the same text that its rows reach, so a key is read once for 32
// queries and no score leaves the block. W is 32, 64 or 128; of wider heads a block has W columns
// of the result and computes the scores again. Backward has a block per tile of queries for dq and
// one per tile of keys for dk and dv: seven products for five, but one writer for each element.
// Limited by the arithmetic of ordinary cores.
#include "../ops/attention.h"

#include "attention_backward.cuh"
#include "attention_forward.cuh"

namespace inbatch::cuda {
namespace {

Extent tiles_extent(const Tensor& qkv, const AttentionRules& rules, int heads, int columns) {
  const unsigned slots = slots_of(qkv.rows, rules.text_count, kTile);
  const unsigned parts = blocks_of(rules.width, columns);
  return {dim3(slots, unsigned(heads), parts), dim3(kTileThreads)};
}

template <class T, int W>
void forward_plain(const Stream& stream, const AttentionForward& op, const AttentionRules& rules) {
  Extent extent = tiles_extent(op.qkv, rules, op.heads, W);
  extent.shared = sizeof(ForwardShared<W>);
  launch(stream, extent, attention_forward<T, W>, rules, op.qkv.as<T>(), op.o.as<T>(),
         op.lse.f32());
}

template <class T, int W>
void backward_plain(const Stream& stream, const AttentionBackward& op, const AttentionRules& rules,
                    const Gradients<T>& given) {
  Extent extent = tiles_extent(op.qkv, rules, op.heads, W);
  extent.shared = sizeof(BackwardShared<W>);
  launch(stream, extent, attention_backward_queries<T, W>, rules, given);
  extent.blocks.y = unsigned(op.key_heads);
  launch(stream, extent, attention_backward_keys<T, W>, rules, given);
}

template <class T>
void forward(const Stream& stream, const AttentionForward& op) {
  const AttentionRules rules(op);
  if (op.width <= 32) {
    forward_plain<T, 32>(stream, op, rules);
  } else if (op.width <= 64) {
    forward_plain<T, 64>(stream, op, rules);
  } else {
    forward_plain<T, 128>(stream, op, rules);
  }
}

template <class T>
void backward(const Stream& stream, const AttentionBackward& op) {
  const AttentionRules rules(op);
  Scope scope(stream.scratch());
  const int64_t rows = op.lse.size();
  const int elements = int(op.dbias.size());
  const int64_t slots = slots_of(op.qkv.rows, rules.text_count, kTile);
  const Tensor delta = stream.scratch().tensor(1, rows);
  const Tensor buckets = stream.scratch().tensor(elements > 0 ? slots : 0, elements);
  launch(stream, rows_extent(rows), attention_deltas<T>, op.dout.as<T>(), op.o.as<T>(), delta.f32(),
         rows, op.width);
  const Gradients<T> given{op.qkv.as<T>(), op.dout.as<T>(), op.lse.f32(),
                           delta.f32(),    op.dqkv.as<T>(), elements > 0 ? buckets.f32() : nullptr};
  if (op.width <= 32) {
    backward_plain<T, 32>(stream, op, rules, given);
  } else if (op.width <= 64) {
    backward_plain<T, 64>(stream, op, rules, given);
  } else {
    backward_plain<T, 128>(stream, op, rules, given);
  }
  if (elements == 0) return;
  const unsigned parts = blocks_of(elements, kTileThreads);
  const unsigned texts = unsigned(rules.text_count);
  launch(stream, {dim3(texts, parts), dim3(kTileThreads)}, sum_slots, op.offsets.i32(),
         buckets.f32(), elements);
  launch(stream, {dim3(parts), dim3(kTileThreads)}, add_texts, op.offsets.i32(), buckets.f32(),
         op.dbias.f32(), rules.text_count, elements);
}

}  // namespace

template <>
void run<AttentionForward>(const Stream& stream, const AttentionForward& op) {
  forward<float>(stream, op);
}

template <>
void run<AttentionBackward>(const Stream& stream, const AttentionBackward& op) {
  backward<float>(stream, op);
}

}  // namespace inbatch::cuda
