// Attention within each text. Contract: ops/attention.h.
//
// A block owns a tile of one text and head and walks the tiles of the same text that its rows
// reach, so no score leaves it. f32, and odd widths of bf16, go through ordinary cores: grid (slots
// of tiles of 32 tokens, heads, columns / W), 128 threads; of heads wider than W a block has W
// columns of the result and computes the scores again. bf16 of the usual widths goes through matrix
// cores: tiles of 64 tokens, on Hopper units of two (attention_ring.cuh). Slots:
// attention_rules.cuh.
//
// Other widths of bf16 have no such kernels: each is compiled for two kinds of tensor cores, and
// sums of 64 rows of 256 columns would be 128 registers of a thread forward, and for dk and dv 256,
// more than there are. src/model/load.ts says so of a model that has them. What each kernel is
// limited by stands with it; attention_deltas reads dout and o once, and memory limits it.
#include "../ops/attention.h"

#include "attention_backward.cuh"
#include "attention_backward_mma.cuh"
#include "attention_backward_wgmma.cuh"
#include "attention_forward.cuh"
#include "attention_forward_mma.cuh"
#include "attention_forward_wgmma.cuh"
#include "rows.cuh"

namespace inbatch::cuda {
namespace {

// delta[t, h] = dout[t, h] . o[t, h]: what the gradients of a row's weights have in common. A warp
// has a row.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    attention_deltas(const T* __restrict__ dout, const T* __restrict__ o, float* __restrict__ delta,
                     int64_t rows, int width) {
  const int64_t row = row_of_warp();
  if (row >= rows) return;
  float sum = 0.0f;
  for (int j = lane_of_row(); j < width; j += 32) {
    sum += float(dout[row * width + j]) * float(o[row * width + j]);
  }
  sum = warp_sum(sum);
  if (lane_of_row() == 0) delta[row] = sum;
}

Extent extent_of(const Tensor& qkv, const AttentionRules& rules, int tile, int heads, int parts) {
  return {dim3(slots_of(qkv.rows, rules.text_count, tile), unsigned(heads), unsigned(parts)),
          dim3(kTileThreads)};
}

template <class T, int W>
void forward_plain(const Stream& stream, const AttentionForward& op, const AttentionRules& rules) {
  Extent extent = extent_of(op.qkv, rules, kTile, op.heads, (op.width + W - 1) / W);
  extent.shared = sizeof(ForwardShared<W>);
  launch(stream, extent, attention_forward<T, W>, rules, op.qkv.as<T>(), op.o.as<T>(),
         op.lse.f32());
}

template <class T, int W>
void backward_plain(const Stream& stream, const AttentionBackward& op, const AttentionRules& rules,
                    const Gradients<T>& given) {
  Extent extent = extent_of(op.qkv, rules, kTile, op.heads, (op.width + W - 1) / W);
  extent.shared = sizeof(BackwardShared<W>);
  launch(stream, extent, attention_backward_queries<T, W>, rules, given);
  extent.blocks.y = unsigned(op.key_heads);
  launch(stream, extent, attention_backward_keys<T, W>, rules, given);
}

void forward_f32(const Stream& stream, const AttentionForward& op, const AttentionRules& rules) {
  if (op.width <= 32) {
    forward_plain<float, 32>(stream, op, rules);
  } else if (op.width <= 64) {
    forward_plain<float, 64>(stream, op, rules);
  } else {
    forward_plain<float, 128>(stream, op, rules);
  }
}

// Whether Hopper's own kernels can have it: rows that begin whole, as they all do but for views.
bool suits_hopper(const Tensor& x) {
  return device_capability() == 90 && x.rows > 0 && uintptr_t(x.data) % 16 == 0;
}

unsigned units_of(const Tensor& qkv, const AttentionRules& rules, int heads) {
  return blocks_of(int64_t(slots_of(qkv.rows, rules.text_count, kUnitRows)) * heads, 1);
}

template <int D>
void forward_wgmma(const Stream& stream, const AttentionForward& op, const AttentionRules& rules) {
  const unsigned units = units_of(op.qkv, rules, op.heads);
  launch(stream, ring_extent(units, sizeof(ForwardWgmma<D>)), attention_forward_wgmma<D>, rules,
         boxes_of<D>(op.qkv, kMmaRows), int(units), op.o.as<bf16>(), op.lse.f32());
}

void forward_bf16(const Stream& stream, const AttentionForward& op, const AttentionRules& rules) {
  const bool is_hopper = suits_hopper(op.qkv);
  const bool has_kernel = with_width(op.width, [&](auto width) {
    constexpr int D = decltype(width)::value;
    if (is_hopper) return forward_wgmma<D>(stream, op, rules);
    Extent extent = extent_of(op.qkv, rules, kMmaRows, op.heads, 1);
    extent.shared = sizeof(ForwardMma<D>);
    launch(stream, extent, attention_forward_mma<D>, rules, op.qkv.as<bf16>(), op.o.as<bf16>(),
           op.lse.f32());
  });
  if (!has_kernel) forward_plain<bf16, 64>(stream, op, rules);
}

void backward(const Stream& stream, const AttentionBackward& op, const AttentionRules& rules,
              const Gradients<float>& given) {
  if (op.width <= 32) {
    backward_plain<float, 32>(stream, op, rules, given);
  } else if (op.width <= 64) {
    backward_plain<float, 64>(stream, op, rules, given);
  } else {
    backward_plain<float, 128>(stream, op, rules, given);
  }
}

template <int D>
void backward_queries_mma(const Stream& stream, const AttentionBackward& op,
                          const AttentionRules& rules, const Gradients<bf16>& given) {
  Extent extent = extent_of(op.qkv, rules, kMmaRows, op.heads, 1);
  extent.shared = sizeof(BackwardQueriesMma<D>);
  launch(stream, extent, attention_backward_queries_mma<D>, rules, given);
}

// Gradients of buckets are sums over diagonals, which the portable kernel has in shared memory: it
// computes them and dq.
template <int D>
void backward_wgmma(const Stream& stream, const AttentionBackward& op, const AttentionRules& rules,
                    const Gradients<bf16>& given) {
  const TensorMap qkv = boxes_of<D>(op.qkv, kMet<D>), dout = boxes_of<D>(op.dout, kMet<D>);
  if (given.buckets) {
    backward_queries_mma<D>(stream, op, rules, given);
  } else {
    const unsigned units = units_of(op.qkv, rules, op.heads);
    launch(stream, ring_extent(units, sizeof(BackwardWgmma<D>)),
           attention_backward_queries_wgmma<D>, rules, qkv, dout, int(units), given);
  }
  const unsigned units = units_of(op.qkv, rules, op.key_heads);
  launch(stream, ring_extent(units, sizeof(BackwardKeysWgmma<D>)), attention_backward_keys_wgmma<D>,
         rules, qkv, dout, int(units), given);
}

void backward(const Stream& stream, const AttentionBackward& op, const AttentionRules& rules,
              const Gradients<bf16>& given) {
  const bool is_hopper = suits_hopper(op.qkv) && suits_hopper(op.dout);
  const bool has_kernel = with_width(op.width, [&](auto width) {
    constexpr int D = decltype(width)::value;
    if (is_hopper) return backward_wgmma<D>(stream, op, rules, given);
    backward_queries_mma<D>(stream, op, rules, given);
    Extent extent = extent_of(op.qkv, rules, kMmaRows, op.key_heads, 1);
    extent.shared = sizeof(BackwardKeysMma<D>);
    launch(stream, extent, attention_backward_keys_mma<D>, rules, given);
  });
  if (!has_kernel) backward_plain<bf16, 64>(stream, op, rules, given);
}

bool has_matrix_kernel(const AttentionBackward& op) {
  return op.qkv.type == Type::BF16 && with_width(op.width, [](auto) {});
}

// The slots' gradients of the buckets into those of the texts, and these into dbias.
void add_dbias(const Stream& stream, const AttentionBackward& op, const Tensor& buckets, int tile) {
  const int elements = int(op.dbias.size()), texts = int(op.offsets.size() - 1);
  const unsigned parts = blocks_of(elements, kTileThreads);
  launch(stream, {dim3(unsigned(texts), parts), dim3(kTileThreads)}, sum_slots, op.offsets.i32(),
         buckets.f32(), elements, tile);
  launch(stream, {dim3(parts), dim3(kTileThreads)}, add_texts, op.offsets.i32(), buckets.f32(),
         op.dbias.f32(), texts, elements, tile);
}

template <class T>
void run_backward(const Stream& stream, const AttentionBackward& op) {
  const AttentionRules rules(op);
  const Scope scope(stream.scratch());
  const int64_t rows = op.lse.size();
  const int tile = has_matrix_kernel(op) ? kMmaRows : kTile;
  const bool has_buckets = !op.dbias.empty();
  const Tensor delta = stream.scratch().tensor(1, rows);
  const int64_t slots = has_buckets ? slots_of(op.qkv.rows, rules.text_count, tile) : 0;
  const Tensor buckets = stream.scratch().tensor(slots, op.dbias.size());
  launch(stream, rows_extent(rows), attention_deltas<T>, op.dout.as<T>(), op.o.as<T>(), delta.f32(),
         rows, op.width);
  backward(stream, op, rules,
           Gradients<T>{op.qkv.as<T>(), op.dout.as<T>(), op.lse.f32(), delta.f32(), op.dqkv.as<T>(),
                        has_buckets ? buckets.f32() : nullptr});
  if (has_buckets) add_dbias(stream, op, buckets, tile);
}

}  // namespace

template <>
void run<AttentionForward>(const Stream& stream, const AttentionForward& op) {
  const AttentionRules rules(op);
  if (op.qkv.type == Type::BF16) {
    forward_bf16(stream, op, rules);
  } else {
    forward_f32(stream, op, rules);
  }
}

template <>
void run<AttentionBackward>(const Stream& stream, const AttentionBackward& op) {
  if (op.qkv.type == Type::BF16) {
    run_backward<bf16>(stream, op);
  } else {
    run_backward<float>(stream, op);
  }
}

}  // namespace inbatch::cuda
