// Ids to rows. Contract: ops/embed.h.
//
// Backward is cut by columns, so that no two threads add to one element and every chain keeps the
// order of the tokens.
#include "../ops/embed.h"

#include <algorithm>

#include "../ops/run.h"
#include "loops.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kSize = 1 << 21;  // elements of a strip at a time: about a millisecond
constexpr int64_t kAhead = 2;       // tokens whose rows of the table are asked for early

struct Columns {
  int64_t begin, end;
};

void add_scaled(float* into, const float* row, float scale, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; ++j) into[j] += row[j] * scale;
}

void add_row(float* into, const float* row, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; ++j) into[j] += row[j];
}

// The rows of positions that the tokens of a text read, one after another from `begin` on.
template <class Op>
struct Places {
  const Op& op;
  int64_t next;

  Places(const Op& op, int64_t text, int64_t begin) : op(op) {
    const int32_t *ids = op.ids.i32(), first = op.offsets.i32()[text];
    const bool has_padding = op.padding >= 0;
    next = begin - first + op.position_offset -
           (has_padding ? std::count(ids + first, ids + begin, op.padding) : 0);
  }
  bool is_padding(int64_t token) const { return op.ids.i32()[token] == op.padding; }
  int64_t of(int64_t token) { return is_padding(token) ? op.position_offset - 1 : next++; }
};

void embed_row(const EmbedForward& op, int64_t token, int64_t place) {
  const int64_t columns = op.x.cols;
  float* x = op.x.f32() + token * columns;
  const float* row = op.tokens.f32() + int64_t(op.ids.i32()[token]) * columns;
  for (int64_t j = 0; j < columns; ++j) x[j] = row[j] * op.scale;
  if (!op.positions.empty()) add_row(x, op.positions.f32() + place * columns, 0, columns);
  if (!op.types.empty()) add_row(x, op.types.f32(), 0, columns);
}

void ask_for_row(const EmbedBackward& op, int64_t token, Columns strip) {
  if (op.dtokens.empty()) return;
  const float* row = op.dtokens.f32() + op.ids.i32()[token] * op.dx.cols;
  for (int64_t j = strip.begin; j < strip.end; j += 16) __builtin_prefetch(row + j, 1);
}

// Adds a strip of a row of dx; torch teaches neither row of padding.
void scatter_row(const EmbedBackward& op, int64_t token, int64_t place, Columns strip) {
  const int64_t columns = op.dx.cols, id = op.ids.i32()[token];
  const float* row = op.dx.f32() + token * columns;
  const auto [begin, end] = strip;
  const bool is_taught = id != op.padding;
  if (is_taught && !op.dtokens.empty())
    add_scaled(op.dtokens.f32() + id * columns, row, op.scale, begin, end);
  if (is_taught && !op.dpositions.empty())
    add_row(op.dpositions.f32() + place * columns, row, begin, end);
  if (!op.dtypes.empty()) add_row(op.dtypes.f32(), row, begin, end);
}

}  // namespace

template <>
void run<EmbedForward>(const Stream& stream, const EmbedForward& op) {
  over_texts(stream, op.offsets, op.x.cols, [&](int64_t text, int64_t begin, int64_t end) {
    Places places(op, text, begin);
    for (int64_t token = begin; token < end; ++token) embed_row(op, token, places.of(token));
  });
}

// A strip for each thread: rows of the table come in any order, so pieces of them are long.
template <>
void run<EmbedBackward>(const Stream& stream, const EmbedBackward& op) {
  const int64_t tokens = op.dx.rows, columns = op.dx.cols;
  const int64_t width = strip_of_thread(stream, columns);
  const int64_t step = std::max(kAhead, kSize / width);
  for (int64_t at = 0; at < tokens; at += step) {
    const int64_t until = std::min(tokens, at + step);
    stream.parallel_for((columns + width - 1) / width, [&](int64_t item, int) {
      const Columns strip{item * width, std::min(columns, (item + 1) * width)};
      each_text(op.offsets, at, until, [&](int64_t text, int64_t begin, int64_t end) {
        Places places(op, text, begin);
        for (int64_t token = begin; token < end; ++token) {
          if (token + kAhead < until) ask_for_row(op, token + kAhead, strip);
          scatter_row(op, token, places.of(token), strip);
        }
      });
    });
  }
}

}  // namespace inbatch::cpu
