// Attention within each text. Contract: ops/attention.h.
//
// A text of at most kKeys tokens is an item a head; backward an item a key head, whose dk and dv
// are sums over the heads that it serves. A longer text goes by steps of kKeys keys: these are
// packed, then parts of the queries that see them are items of all heads. In backward each part
// leaves its share of dk, dv and the buckets beside the others', and the shares are added in the
// order of heads and parts. Where a step or a part begins depends on the text and the number of
// heads alone, so no bit depends on threads or on other texts; scratch is bounded but for four
// floats a token and head.
//
// Tried on paper: rows of queries for dq and again rows of keys for dk and dv need no shares, but
// seven products for five.
#include "../ops/attention.h"

#include <algorithm>
#include <limits>

#include "../ops/run.h"
#include "distances.h"
#include "kernels.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kKeys = 512;   // keys of a step
constexpr int64_t kSlice = 64;   // keys that are packed or summed by one item
constexpr int64_t kRows = 48;    // queries that a kernel takes at once
constexpr int64_t kPart = 240;   // queries of a part at least
constexpr int64_t kParts = 64;   // parts of a step at least, if it has that many queries
constexpr int64_t kTexts = 512;  // texts whose buckets are kept until they are added to dbias

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t whole_panels(int64_t n) { return ceil_div(n, 16) * 16; }

struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};

template <class Op>
int64_t texts_of(const Op& op) {
  return op.offsets.size() - 1;
}

template <class Op>
int64_t tokens_of(const Op& op, int64_t text) {
  return op.offsets.i32()[text + 1] - op.offsets.i32()[text];
}

// What is at hand wherever an op runs.
template <class Op>
struct Call {
  const Stream& stream;
  const Op& op;
  Buckets buckets;
};

// The part of the item that forward and backward share, with all queries.
template <class Op>
AttentionItem item_of(const Op& op, int64_t text, int64_t head) {
  const int64_t begin = op.offsets.i32()[text], width = op.width;
  const int64_t key_head = head / (op.heads / op.key_heads);
  AttentionItem item{};
  item.qkv_row = op.qkv.cols;
  item.o_row = op.o.cols;
  item.lse_row = op.heads;
  item.q = op.qkv.f32() + begin * item.qkv_row + head * width;
  item.k = op.qkv.f32() + begin * item.qkv_row + (op.heads + key_head) * width;
  item.v = item.k + op.key_heads * width;
  item.o = op.o.f32() + begin * item.o_row + head * width;
  item.lse = op.lse.empty() ? nullptr : op.lse.f32() + begin * op.heads + head;
  item.tokens = tokens_of(op, text);
  item.width = width;
  item.scale = op.scale;
  item.rate = op.rate;
  item.causal = op.causal;
  item.window = op.window;
  item.key = {uint32_t(op.seed), uint32_t(op.step)};
  item.text = uint32_t(op.rate > 0 ? op.texts.i32()[text] : 0);
  item.site = uint32_t(op.site + head);
  item.query_end = item.tokens;
  return item;
}

AttentionItem item_of_backward(const AttentionBackward& op, int64_t text, int64_t head) {
  AttentionItem item = item_of(op, text, head);
  item.dout = op.dout.f32() + (item.o - op.o.f32());
  item.dq = op.dqkv.f32() + (item.q - op.qkv.f32());
  item.dk = op.dqkv.f32() + (item.k - op.qkv.f32());
  item.dv = op.dqkv.f32() + (item.v - op.qkv.f32());
  item.dkv_row = item.qkv_row;
  return item;
}

// The kernel; adds the gradients of the scores to `sums`, a number a bucket, by rising distance.
void run_backward(const Call<AttentionBackward>& call, AttentionItem item, Arena& arena,
                  const Tensor& sums) {
  const AttentionPanels& keys = item.panels;
  const int64_t lowest = keys.first - (item.query_end - 1);
  const int64_t size = keys.first + keys.count - item.query_begin - lowest;
  if (sums.cols > 0) {
    item.ddistances = arena.tensor(1, size + 2 * kBeyond).f32();
    item.ddistances_first = lowest - kBeyond;
    std::fill_n(item.ddistances, size + 2 * kBeyond, 0.0f);
  }
  kernels().attention_backward(item, call.stream, arena);
  for (int64_t at = 0; at < size && sums.cols > 0; ++at) {
    sums.f32()[call.buckets.of(lowest + at)] += item.ddistances[at + kBeyond];
  }
}

AttentionPanels take_panels(Arena& arena, int64_t keys, int64_t width, bool backward) {
  const int64_t lanes = whole_panels(keys), wide = whole_panels(width);
  AttentionPanels panels{};
  panels.count = keys;
  panels.key_columns = arena.tensor(lanes, width).f32();
  (backward ? panels.key_rows : panels.value_rows) = arena.tensor(keys, wide).f32();
  if (backward) panels.value_columns = arena.tensor(lanes, width).f32();
  return panels;
}

void clear_rows(float* x, int64_t row, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r) std::fill_n(x + r * row, columns, 0.0f);
}

// A text of more than kKeys tokens: its steps, the parts of a step, and what the heads share.
template <class Op>
class LongText {
 public:
  LongText(const Call<Op>& call, int64_t text, AttentionPanels panels)
      : call_(call), op_(call.op), text_(text), tokens_(tokens_of(op_, text)), panels_(panels) {
    distances_ = call.stream.scratch().tensor(op_.heads, distances_size(op_, tokens_));
  }

  int64_t group() const { return op_.heads / op_.key_heads; }
  int64_t text() const { return text_; }
  int64_t tokens() const { return tokens_; }
  int64_t parts() const { return parts_; }
  Range keys() const { return keys_; }
  // The most parts that a step can have.
  int64_t most_parts() const { return std::min(wanted(), ceil_div(tokens_, kPart)); }

  // Fills the distances and clears what the steps add to.
  template <class F>
  void begin(F clear) const {
    call_.stream.parallel_for(op_.heads, [&](int64_t head, int) {
      distances_in(distances_.f32() + head * distances_.cols, op_, call_.buckets, {tokens_, head});
      clear(head);
    });
  }

  // Packs the keys from `first` on and finds the parts of the queries that see them.
  void begin_step(int64_t first) {
    keys_ = {first, std::min(tokens_, first + kKeys)};
    const int64_t before = op_.causal ? 0 : op_.window > 0 ? op_.window : tokens_;
    const int64_t after = op_.window > 0 ? op_.window : tokens_;
    queries_ = {std::max<int64_t>(0, keys_.begin - before), std::min(tokens_, keys_.end + after)};
    part_ = std::max(kPart, ceil_div(ceil_div(queries_.size(), wanted()), kRows) * kRows);
    parts_ = ceil_div(queries_.size(), part_);
    over_keys([&](int64_t key_head, Range keys) {
      const AttentionItem item = item_of(op_, text_, key_head * group());
      kernels().attention_pack(with_panels(item, key_head), keys.begin, keys.end);
    });
  }

  // body(key head, some keys of the step) for all of them.
  template <class F>
  void over_keys(F body) const {
    const int64_t slices = ceil_div(keys_.size(), kSlice);
    call_.stream.parallel_for(op_.key_heads * slices, [&](int64_t item, int) {
      const int64_t begin = keys_.begin + item % slices * kSlice;
      body(item / slices, Range{begin, std::min(keys_.end, begin + kSlice)});
    });
  }

  // body(head, part, scratch) for all parts of the step.
  template <class F>
  void over_parts(F body) const {
    call_.stream.parallel_for(op_.heads * parts_, [&](int64_t item, int worker) {
      body(item / parts_, item % parts_, call_.stream.scratch(worker));
    });
  }

  // What a part asks of its head: its queries and the keys of the step.
  AttentionItem part_of(AttentionItem item, int64_t head, int64_t part) const {
    item = with_panels(item, head / group());
    item.query_begin = queries_.begin + part * part_;
    item.query_end = std::min(queries_.end, item.query_begin + part_);
    if (distances_.cols > 0) {
      item.distances = distances_.f32() + head * distances_.cols + tokens_ - 1 + kBeyond;
    }
    return item;
  }

 private:
  int64_t wanted() const { return ceil_div(kParts, op_.heads); }

  AttentionItem with_panels(AttentionItem item, int64_t key_head) const {
    const int64_t size = key_head * kKeys * op_.width;
    const int64_t wide = key_head * kKeys * whole_panels(op_.width);
    AttentionPanels& panels = item.panels = panels_;
    panels.first = keys_.begin;
    panels.count = keys_.size();
    panels.key_columns += size;
    if (panels.value_columns) panels.value_columns += size;
    if (panels.key_rows) panels.key_rows += wide;
    if (panels.value_rows) panels.value_rows += wide;
    return item;
  }

  const Call<Op>& call_;
  const Op& op_;
  int64_t text_, tokens_;
  AttentionPanels panels_;
  Tensor distances_;
  Range keys_{0, 0}, queries_{0, 0};
  int64_t part_ = 1, parts_ = 0;
};

void forward_long(const Call<AttentionForward>& call, int64_t text) {
  const AttentionForward& op = call.op;
  Arena& arena = call.stream.scratch();
  Scope scope(arena);
  LongText whole(call, text, take_panels(arena, op.key_heads * kKeys, op.width, false));
  const int64_t tokens = whole.tokens();
  const Tensor most = arena.tensor(op.heads, tokens), sum = arena.tensor(op.heads, tokens);
  whole.begin([&](int64_t head) {
    const AttentionItem item = item_of(op, text, head);
    clear_rows(item.o, item.o_row, tokens, op.width);
    std::fill_n(most.f32() + head * tokens, tokens, -std::numeric_limits<float>::max());
    std::fill_n(sum.f32() + head * tokens, tokens, 0.0f);
  });
  for (int64_t first = 0; first < tokens; first += kKeys) {
    whole.begin_step(first);
    whole.over_parts([&](int64_t head, int64_t part, Arena& scratch) {
      AttentionItem item = whole.part_of(item_of(op, text, head), head, part);
      item.most = most.f32() + head * tokens;
      item.sum = sum.f32() + head * tokens;
      kernels().attention_forward(item, call.stream, scratch);
    });
  }
}

// What the parts of a step leave: dk and dv of its keys, gradients of the buckets; a row a part.
struct Shares {
  Tensor dk, dv, buckets;
};

struct Rows {
  float* x;
  int64_t stride, width;
};

// Writes rows of dk or dv, from `out` on, as the sum of the shares of some parts in order.
void sum_shares(const Tensor& shares, Range parts, Range rows, Rows out) {
  for (int64_t part = parts.begin; part < parts.end; ++part) {
    const float* share = shares.slice(part, 1).f32() + rows.begin * out.width;
    for (int64_t row = 0; row < rows.size(); ++row, share += out.width) {
      float* to = out.x + row * out.stride;
      for (int64_t j = 0; j < out.width; ++j) {
        to[j] = part == parts.begin ? share[j] : to[j] + share[j];
      }
    }
  }
}

// One step of backward: the parts leave their shares, then these are added.
void backward_step(const Call<AttentionBackward>& call, const LongText<AttentionBackward>& whole,
                   const Shares& shares) {
  const AttentionBackward& op = call.op;
  const int64_t size = whole.keys().size() * op.width, parts = whole.parts();
  whole.over_parts([&](int64_t head, int64_t part, Arena& scratch) {
    AttentionItem item = whole.part_of(item_of_backward(op, whole.text(), head), head, part);
    const int64_t share = head * parts + part;
    item.dk = shares.dk.slice(share, 1).f32();
    item.dv = shares.dv.slice(share, 1).f32();
    item.dkv_row = op.width;
    std::fill_n(item.dk, size, 0.0f);
    std::fill_n(item.dv, size, 0.0f);
    const Tensor sums = shares.buckets.slice(share, 1);
    std::fill_n(sums.f32(), sums.cols, 0.0f);
    run_backward(call, item, scratch, sums);
  });
  whole.over_keys([&](int64_t key_head, Range keys) {
    const AttentionItem item = item_of_backward(op, whole.text(), key_head * whole.group());
    const int64_t each = whole.group() * parts, at = keys.begin * item.dkv_row;
    const Range from{key_head * each, (key_head + 1) * each};
    const Range rows{keys.begin - whole.keys().begin, keys.end - whole.keys().begin};
    sum_shares(shares.dk, from, rows, {item.dk + at, item.dkv_row, op.width});
    sum_shares(shares.dv, from, rows, {item.dv + at, item.dkv_row, op.width});
  });
}

// `sums` has a row of buckets for each head.
void backward_long(const Call<AttentionBackward>& call, int64_t text, const Tensor& sums) {
  const AttentionBackward& op = call.op;
  Arena& arena = call.stream.scratch();
  Scope scope(arena);
  LongText whole(call, text, take_panels(arena, op.key_heads * kKeys, op.width, true));
  const int64_t most = op.heads * whole.most_parts(), count = op.dbias.rows;
  const Shares shares{arena.tensor(most, kKeys * op.width), arena.tensor(most, kKeys * op.width),
                      arena.tensor(most, count)};
  whole.begin([&](int64_t head) {
    const AttentionItem item = item_of_backward(op, text, head);
    clear_rows(item.dq, item.qkv_row, item.tokens, op.width);
  });
  for (int64_t first = 0; first < whole.tokens(); first += kKeys) {
    whole.begin_step(first);
    backward_step(call, whole, shares);
    for (int64_t share = 0; share < op.heads * whole.parts(); ++share) {
      float* to = sums.f32() + share / whole.parts() * count;
      for (int64_t b = 0; b < count; ++b) to[b] += shares.buckets.f32()[share * count + b];
    }
  }
}

void forward_short(const Call<AttentionForward>& call) {
  const AttentionForward& op = call.op;
  call.stream.parallel_for(texts_of(op) * op.heads, [&](int64_t at, int worker) {
    AttentionItem item = item_of(op, at / op.heads, at % op.heads);
    if (item.tokens > kKeys || item.tokens == 0) return;
    Arena& arena = call.stream.scratch(worker);
    item.panels = take_panels(arena, item.tokens, op.width, false);
    const int64_t size = distances_size(op, item.tokens);
    item.distances =
        distances_in(arena.tensor(1, size).f32(), op, call.buckets, {item.tokens, at % op.heads});
    kernels().attention_pack(item, 0, item.tokens);
    kernels().attention_forward(item, call.stream, arena);
  });
}

// `sums` has a row of buckets for each text and head.
void backward_short(const Call<AttentionBackward>& call, Range texts, const Tensor& sums) {
  const AttentionBackward& op = call.op;
  const int64_t group = op.heads / op.key_heads;
  call.stream.parallel_for(texts.size() * op.key_heads, [&](int64_t at, int worker) {
    const int64_t text = at / op.key_heads, head = at % op.key_heads * group;
    const AttentionItem first = item_of_backward(op, texts.begin + text, head);
    if (first.tokens > kKeys || first.tokens == 0) return;
    Arena& arena = call.stream.scratch(worker);
    const AttentionPanels panels = take_panels(arena, first.tokens, op.width, true);
    for (int64_t next = head; next < head + group; ++next) {
      Scope scope(arena);
      AttentionItem item = item_of_backward(op, texts.begin + text, next);
      item.panels = panels;
      if (next == head) {
        kernels().attention_pack(item, 0, item.tokens);
        clear_rows(item.dk, item.dkv_row, item.tokens, op.width);
        clear_rows(item.dv, item.dkv_row, item.tokens, op.width);
      }
      const int64_t size = distances_size(op, item.tokens);
      item.distances =
          distances_in(arena.tensor(1, size).f32(), op, call.buckets, {item.tokens, next});
      run_backward(call, item, arena, sums.slice(text * op.heads + next, 1));
    }
  });
}

// The texts one after another.
void add_to_dbias(const AttentionBackward& op, const Tensor& sums) {
  for (int64_t row = 0; row < sums.rows; ++row) {
    float* dbias = op.dbias.f32() + row % op.heads;
    for (int64_t b = 0; b < sums.cols; ++b) dbias[b * op.heads] += sums.f32()[row * sums.cols + b];
  }
}

}  // namespace

template <>
void run<AttentionForward>(const Stream& stream, const AttentionForward& op) {
  Scope scope(stream.scratch());
  const Call<AttentionForward> call{stream, op, Buckets(stream, op)};
  forward_short(call);
  for (int64_t text = 0; text < texts_of(op); ++text) {
    if (tokens_of(op, text) > kKeys) forward_long(call, text);
  }
}

template <>
void run<AttentionBackward>(const Stream& stream, const AttentionBackward& op) {
  Scope scope(stream.scratch());
  const Call<AttentionBackward> call{stream, op, Buckets(stream, op)};
  const int64_t most = std::min(kTexts, texts_of(op));
  const Tensor room = stream.scratch().tensor(most * op.heads, op.dbias.rows);
  for (int64_t begin = 0; begin < texts_of(op); begin += kTexts) {
    const Range texts{begin, std::min(texts_of(op), begin + kTexts)};
    const Tensor sums = room.slice(0, texts.size() * op.heads);
    std::fill_n(sums.f32(), sums.size(), 0.0f);
    backward_short(call, texts, sums);
    for (int64_t text = begin; text < texts.end; ++text) {
      if (tokens_of(op, text) <= kKeys) continue;
      backward_long(call, text, sums.slice((text - begin) * op.heads, op.heads));
    }
    add_to_dbias(op, sums);
  }
}

}  // namespace inbatch::cpu
