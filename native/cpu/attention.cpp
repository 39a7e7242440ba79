// Attention within each text. Contract: ops/attention.h. An item is one head of one text.
#include "../ops/attention.h"

#include "../ops/run.h"
#include "kernels.h"

namespace inbatch::cpu {
namespace {

// The part of the item that forward and backward share.
template <class Op>
AttentionItem item_of(const Op& op, int64_t text, int64_t head) {
  const int64_t begin = op.offsets.i32()[text], columns = op.o.cols, width = op.width;
  expect(op.key_heads == op.heads && !op.causal && op.window == 0 && op.slopes.empty() &&
             op.bias.empty(),
         Op::name, "expected plain heads that see all of their text");
  AttentionItem item{};
  item.qkv_row = op.qkv.cols;
  item.o_row = columns;
  item.lse_row = op.heads;
  item.q = op.qkv.f32() + begin * item.qkv_row + head * width;
  item.k = item.q + columns;
  item.v = item.k + columns;
  item.o = op.o.f32() + begin * columns + head * width;
  item.lse = op.lse.empty() ? nullptr : op.lse.f32() + begin * op.heads + head;
  item.tokens = op.offsets.i32()[text + 1] - begin;
  item.width = width;
  item.scale = op.scale;
  item.rate = op.rate;
  item.key = {uint32_t(op.seed), uint32_t(op.step)};
  item.text = uint32_t(op.rate > 0 ? op.texts.i32()[text] : 0);
  item.site = uint32_t(op.site + head);
  return item;
}

}  // namespace

template <>
void run<AttentionForward>(const Stream& stream, const AttentionForward& op) {
  stream.parallel_for((op.offsets.size() - 1) * op.heads, [&](int64_t item, int worker) {
    kernels().attention_forward(item_of(op, item / op.heads, item % op.heads), stream,
                                stream.scratch(worker));
  });
}

template <>
void run<AttentionBackward>(const Stream& stream, const AttentionBackward& op) {
  stream.parallel_for((op.offsets.size() - 1) * op.heads, [&](int64_t item, int worker) {
    AttentionItem part = item_of(op, item / op.heads, item % op.heads);
    const int64_t columns = op.o.cols, begin = op.offsets.i32()[item / op.heads];
    part.dout = op.dout.f32() + (part.o - op.o.f32());
    part.dq = op.dqkv.f32() + begin * part.qkv_row + item % op.heads * part.width;
    part.dk = part.dq + columns;
    part.dv = part.dk + columns;
    kernels().attention_backward(part, stream, stream.scratch(worker));
  });
}

}  // namespace inbatch::cpu
