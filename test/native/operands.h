// One row for each op of ops/all.h: the operands it runs on. An op without a row does not compile.
//
// A row finds the choices of its op (enumerations and switches) made, and gives the rest. What a
// backward op takes from its forward need not be true, only possible.
#pragma once

#include <algorithm>

#include "../../native/ops/all.h"
#include "draw.h"

namespace inbatch::driver {

inline void fill(LinearPack& op, Draw& draw) {
  const int64_t n = draw.extents.inner, k = draw.extents.width;
  op.weight = draw.floats(n, k);
  op.packed =
      op.transposed ? draw.blank(panels_of(k), n * kPanel) : draw.blank(panels_of(n), k * kPanel);
}
inline void fill(LinearUnpack& op, Draw& draw) {
  const int64_t n = draw.extents.inner, k = draw.extents.width;
  op.row = n / 3;
  op.packed = draw.floats(panels_of(n), k * kPanel);
  op.weight = draw.blank(n - op.row, k);
}
inline void fill(LinearForward& op, Draw& draw) {
  const int64_t n = draw.extents.inner, k = draw.extents.width;
  op.x = draw.floats(draw.tokens, k);
  op.packed = draw.floats(panels_of(n), k * kPanel);
  op.bias = draw.optional(draw.floats(1, n));
  op.y = draw.blank(draw.tokens, n);
  if (!draw.extents.is_bare) op.pre = draw.blank(draw.tokens, n);
}
inline void fill(LinearBackwardInput& op, Draw& draw) {
  const int64_t n = draw.extents.inner, k = draw.extents.width;
  if (op.accumulate) op.activation = Activation::None;
  op.dy = draw.floats(draw.tokens, n);
  op.packed = draw.floats(panels_of(k), n * kPanel);
  if (op.activation != Activation::None) op.pre = draw.floats(draw.tokens, k);
  op.dx = op.accumulate ? draw.floats(draw.tokens, k) : draw.blank(draw.tokens, k);
}
inline void fill(LinearBackwardWeight& op, Draw& draw) {
  const int64_t n = draw.extents.inner, k = draw.extents.width;
  op.x = draw.floats(draw.tokens, k);
  op.dy = draw.floats(draw.tokens, n);
  op.dweight = draw.floats(n, k);
  op.dbias = draw.optional(draw.floats(1, n));
}

inline void fill(QuantizedPack& op, Draw& draw) {
  const int64_t n = draw.extents.inner, k = draw.extents.width;
  op.weight = draw.floats(n, k);
  op.packed = draw.integers(panels_of(n), words_of(k) * kPanel, 64);
  op.scale = draw.blank(1, panels_of(n) * kPanel);
  op.sums = draw.integers(1, panels_of(n) * kPanel, 64);
}
inline void fill(QuantizedForward& op, Draw& draw) {
  const int64_t n = draw.extents.inner, k = draw.extents.width;
  op.x = draw.floats(draw.tokens, k);
  op.packed = draw.integers(panels_of(n), words_of(k) * kPanel, 64);
  op.scale = draw.positive(1, panels_of(n) * kPanel);
  op.sums = draw.integers(1, panels_of(n) * kPanel, 64);
  op.bias = draw.optional(draw.floats(1, n));
  op.y = draw.blank(draw.tokens, n);
}

inline void fill(ActivationForward& op, Draw& draw) {
  op.x = draw.floats(draw.tokens, draw.extents.inner);
  op.y = draw.blank(draw.tokens, draw.extents.inner);
}
inline void fill(ActivationBackward& op, Draw& draw) {
  op.x = draw.floats(draw.tokens, draw.extents.inner);
  op.dy = draw.floats(draw.tokens, draw.extents.inner);
  op.dx = draw.blank(draw.tokens, draw.extents.inner);
}
inline void fill(GateForward& op, Draw& draw) {
  if (op.gate == Gate::None) op.gate = Gate::First;
  op.pre = draw.floats(draw.tokens, 2 * draw.extents.inner);
  op.y = draw.blank(draw.tokens, draw.extents.inner);
}
inline void fill(GateBackward& op, Draw& draw) {
  if (op.gate == Gate::None) op.gate = Gate::First;
  op.pre = draw.floats(draw.tokens, 2 * draw.extents.inner);
  op.dy = draw.floats(draw.tokens, draw.extents.inner);
  op.dpre = draw.blank(draw.tokens, 2 * draw.extents.inner);
}
inline void fill(Add& op, Draw& draw) {
  op.a = draw.floats(draw.tokens, draw.extents.width);
  op.b = draw.floats(draw.tokens, draw.extents.width);
  op.y = draw.blank(draw.tokens, draw.extents.width);
}
inline void fill(Dropout& op, Draw& draw) {
  op.rate = 0.25f;
  op.seed = op.step = op.site = 3;
  op.x = draw.floats(draw.extents.is_bare ? draw.texts : draw.tokens, draw.extents.width);
  op.offsets = draw.optional(draw.offsets());
  op.texts = draw.numbers_of_texts();
}

inline void fill(NormForward& op, Draw& draw) {
  const int64_t rows = draw.tokens, width = draw.extents.width;
  op.offset = 1;
  op.x = draw.floats(rows, width);
  op.weight = draw.floats(1, width);
  op.bias = draw.optional(draw.floats(1, width));
  op.y = draw.blank(rows, width);
  op.mean = draw.blank(rows, 1);
  op.rstd = draw.blank(rows, 1);
  if (draw.extents.is_bare) return;
  op.residual = draw.floats(rows, width);
  op.sum = draw.blank(rows, width);
}
inline void fill(NormBackward& op, Draw& draw) {
  const int64_t rows = draw.tokens, width = draw.extents.width;
  op.sum = draw.floats(rows, width);
  op.weight = draw.floats(1, width);
  op.mean = draw.floats(rows, 1);
  op.rstd = draw.positive(rows, 1);
  op.dy = draw.floats(rows, width);
  op.dx = draw.blank(rows, width);
  op.dweight = draw.optional(draw.floats(1, width));
  op.dbias = draw.optional(draw.floats(1, width));
  op.offsets = draw.optional(draw.offsets());
}
inline void fill(HeadNormForward& op, Draw& draw) {
  const int64_t rows = draw.tokens, width = draw.extents.width / draw.extents.heads;
  op.heads = int32_t(draw.extents.heads);
  op.first = 1;
  op.x = draw.floats(rows, draw.extents.width + 2);
  op.weight = draw.floats(1, width);
  op.bias = draw.optional(draw.floats(1, width));
  op.y = draw.floats(rows, draw.extents.width + 2);
  op.mean = draw.blank(rows, op.heads);
  op.rstd = draw.blank(rows, op.heads);
}
inline void fill(HeadNormBackward& op, Draw& draw) {
  const int64_t rows = draw.tokens, width = draw.extents.width / draw.extents.heads;
  op.heads = int32_t(draw.extents.heads);
  op.first = 1;
  op.x = draw.floats(rows, draw.extents.width + 2);
  op.weight = draw.floats(1, width);
  op.mean = draw.floats(rows, op.heads);
  op.rstd = draw.positive(rows, op.heads);
  op.dy = draw.floats(rows, draw.extents.width + 2);
  op.dx = draw.floats(rows, draw.extents.width + 2);
  op.dweight = draw.optional(draw.floats(1, width));
  op.dbias = draw.optional(draw.floats(1, width));
  op.offsets = draw.optional(draw.offsets());
}
inline void fill(Rotary& op, Draw& draw) {
  const int64_t width = draw.extents.width / draw.extents.heads, places = draw.longest() + 1;
  op.heads = int32_t(draw.extents.heads);
  op.width = int32_t(width);
  op.magnitude = 1.5f;
  op.offsets = draw.offsets();
  op.cos = draw.floats(places, draw.extents.is_bare ? width / 2 : width / 3);
  op.sin = draw.floats(op.cos.rows, op.cos.cols);
  op.x = draw.floats(draw.tokens, draw.extents.width + 3);
}

constexpr int64_t kVocabulary = 13;

inline void fill(EmbedForward& op, Draw& draw) {
  op.position_offset = 1;
  op.scale = 3;
  op.ids = draw.integers(1, draw.tokens, kVocabulary);
  op.offsets = draw.offsets();
  op.tokens = draw.floats(kVocabulary, draw.extents.width);
  op.positions = draw.optional(draw.floats(draw.longest() + 1, draw.extents.width));
  op.types = draw.optional(draw.floats(2, draw.extents.width));
  op.x = draw.blank(draw.tokens, draw.extents.width);
}
inline void fill(EmbedBackward& op, Draw& draw) {
  op.position_offset = 1;
  op.scale = 3;
  op.ids = draw.integers(1, draw.tokens, kVocabulary);
  op.offsets = draw.offsets();
  op.dx = draw.floats(draw.tokens, draw.extents.width);
  op.dtokens = draw.floats(kVocabulary, draw.extents.width);
  op.dpositions = draw.optional(draw.floats(draw.longest() + 1, draw.extents.width));
  op.dtypes = draw.optional(draw.floats(2, draw.extents.width));
}

inline void fill(AttentionOrder& op, Draw& draw) {
  op.tokens = int32_t(draw.tokens);
  op.offsets = draw.offsets();
  op.order = draw.integers(2, AttentionOrder::most_runs(draw.tokens, draw.texts), 1);
}
// What AttentionForward and AttentionBackward share.
template <class Op>
void fill_attention(Op& op, Draw& draw) {
  constexpr int64_t kBuckets = 8;
  op.heads = int32_t(draw.extents.heads);
  op.key_heads = draw.extents.is_bare ? op.heads : 1;
  op.width = int32_t(draw.extents.width / op.heads);
  op.scale = 0.3f;
  op.window = draw.extents.is_bare ? 0 : 40;
  op.furthest = 32;
  op.rate = draw.extents.is_bare ? 0 : 0.25f;
  op.seed = op.step = op.site = 3;
  op.qkv = draw.floats(draw.tokens, int64_t(op.heads + 2 * op.key_heads) * op.width);
  op.offsets = draw.offsets();
  op.texts = draw.optional(draw.numbers_of_texts());
  op.slopes = draw.optional(draw.positive(1, op.heads));
  op.bias = draw.optional(draw.floats(kBuckets, op.heads));
}
inline void fill(AttentionForward& op, Draw& draw) {
  fill_attention(op, draw);
  op.o = draw.blank(draw.tokens, draw.extents.width);
  if (!draw.extents.is_bare) op.lse = draw.blank(draw.tokens, op.heads);
}
inline void fill(AttentionBackward& op, Draw& draw) {
  fill_attention(op, draw);
  op.o = draw.floats(draw.tokens, draw.extents.width);
  op.lse = draw.positive(draw.tokens, op.heads);
  op.dout = draw.floats(draw.tokens, draw.extents.width);
  op.dqkv = draw.blank(op.qkv.rows, op.qkv.cols);
  if (!draw.extents.is_bare) op.dbias = draw.floats(op.bias.rows, op.bias.cols);
}

inline void fill(PoolForward& op, Draw& draw) {
  op.at = 2;
  op.x = draw.floats(draw.tokens, draw.extents.width);
  op.offsets = draw.offsets();
  op.skip = draw.optional(draw.integers(1, draw.texts, 3));
  op.y = draw.floats(draw.texts, draw.extents.width + 3);
  if (op.kind == Pooling::Max) op.argmax = draw.integers(draw.texts, draw.extents.width, 1);
  if (op.kind == Pooling::Gem) op.power = draw.positive(1, 1);
}
inline void fill(PoolBackward& op, Draw& draw) {
  op.at = 2;
  op.dy = draw.floats(draw.texts, draw.extents.width + 3);
  op.offsets = draw.offsets();
  op.skip = draw.optional(draw.integers(1, draw.texts, 3));
  const int64_t width = draw.extents.width;
  if (op.kind == Pooling::Max) op.argmax = draw.rows_of_texts(width);
  if (op.kind == Pooling::Gem) {
    op.x = draw.floats(draw.tokens, width);
    op.power = draw.positive(1, 1);
    op.dpower = draw.optional(draw.floats(1, 1));
  }
  op.dx = op.add ? draw.floats(draw.tokens, width) : draw.blank(draw.tokens, width);
}
inline void fill(LayerMeanForward& op, Draw& draw) {
  const int64_t width = draw.extents.width;
  op.layer = 1;
  op.x = draw.floats(draw.tokens, width);
  op.weights = draw.positive(1, 3);
  op.y = op.add ? draw.floats(draw.tokens, width) : draw.blank(draw.tokens, width);
}
inline void fill(LayerMeanBackward& op, Draw& draw) {
  const int64_t width = draw.extents.width;
  op.layer = 1;
  op.x = draw.floats(draw.tokens, width);
  op.weights = draw.positive(1, 3);
  op.dy = draw.floats(draw.tokens, width);
  op.dx = op.add ? draw.floats(draw.tokens, width) : draw.blank(draw.tokens, width);
  op.dots = draw.floats(draw.tokens, 3);
}
inline void fill(LayerMeanWeights& op, Draw& draw) {
  op.dots = draw.floats(draw.tokens, 3);
  op.weights = draw.positive(1, 3);
  op.dweights = draw.floats(1, 3);
}
inline void fill(NormalizeForward& op, Draw& draw) {
  op.x = draw.floats(draw.tokens, draw.extents.width);
  op.y = draw.blank(draw.tokens, draw.extents.width);
  op.norm = draw.blank(draw.tokens, 1);
}
inline void fill(NormalizeBackward& op, Draw& draw) {
  op.y = draw.floats(draw.tokens, draw.extents.width);
  op.norm = draw.positive(draw.tokens, 1);
  op.dy = draw.floats(draw.tokens, draw.extents.width);
  op.dx = draw.blank(draw.tokens, draw.extents.width);
}

inline void fill(AdamW& op, Draw& draw) {
  const int64_t size = draw.tokens * draw.extents.inner;
  op.rate = 1e-3;
  op.decay = 0.01;
  op.step = 2;
  op.weight = draw.floats(1, size);
  op.gradient = draw.floats(1, size);
  op.first = draw.floats(1, size);
  op.second = draw.positive(1, size);
}
inline void fill(AdamW8& op, Draw& draw) {
  const int64_t size = draw.tokens * draw.extents.inner, blocks = (size + op.block - 1) / op.block;
  op.rate = 1e-3;
  op.decay = 0.01;
  op.step = 2;
  op.weight = draw.floats(1, size);
  op.gradient = draw.floats(1, size);
  op.first = draw.codes(1, size);
  op.second = draw.codes(1, size);
  op.first_scale = draw.positive(1, blocks);
  op.second_scale = draw.positive(1, blocks);
}
inline void fill(Adafactor& op, Draw& draw) {
  const int64_t rows = draw.extents.is_bare ? 1 : draw.tokens, columns = draw.extents.inner;
  op.rate = 1e-3;
  op.decay = 0.01;
  op.step = 2;
  op.weight = draw.floats(rows, columns);
  op.gradient = draw.floats(rows, columns);
  op.row_squares = draw.optional(draw.positive(1, rows));
  op.column_squares = draw.positive(1, columns);
}
inline void fill(Clip& op, Draw& draw) {
  op.bound = 0.5;
  op.x = draw.floats(1, draw.tokens * draw.extents.inner);
}
inline void fill(Blend& op, Draw& draw) {
  const int64_t size = draw.tokens * draw.extents.inner;
  op.share = draw.extents.is_bare ? 1 : 0.25;
  op.x = draw.floats(1, size);
  op.y = draw.floats(1, size);
}
inline void fill(Exchange& op, Draw& draw) {
  const int64_t size = draw.tokens * draw.extents.inner;
  op.x = draw.floats(1, size);
  op.y = draw.floats(1, size);
}
inline void fill(Perturb& op, Draw& draw) {
  const int64_t size = draw.tokens * draw.extents.inner;
  op.scale = 0.1;
  op.weight = draw.floats(1, size);
  op.gradient = draw.floats(1, size);
  op.origin = draw.optional(draw.floats(1, size));
  op.bound = draw.extents.is_bare ? 0 : 0.01;
}
inline void fill(SquaredDistance& op, Draw& draw) {
  const int64_t size = draw.tokens * draw.extents.inner;
  op.a = draw.floats(1, size);
  op.b = draw.floats(1, size);
  op.result = draw.zero_double();
}
inline void fill(Lion& op, Draw& draw) {
  const int64_t size = draw.tokens * draw.extents.inner;
  op.rate = 1e-3;
  op.decay = 0.01;
  op.weight = draw.floats(1, size);
  op.gradient = draw.floats(1, size);
  op.first = draw.floats(1, size);
}
inline void fill(SumSquares& op, Draw& draw) {
  op.x = draw.floats(1, draw.tokens * draw.extents.inner);
  op.result = draw.zero_double();
}

}  // namespace inbatch::driver
