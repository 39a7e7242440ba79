// Ids to rows. Contract: ops/embed.h.
//
// Backward is cut by columns, so that no two threads add to one element and every chain keeps the
// order of the tokens.
#include "../ops/embed.h"

#include <algorithm>

#include "../ops/run.h"
#include "kernels.h"
#include "loops.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kSize = 1 << 21;  // elements of a strip at a time: about a millisecond

struct Columns {
  int64_t begin, end;
};

void add_row(float* into, const float* row, int64_t size) {
  for (int64_t j = 0; j < size; ++j) into[j] += row[j];
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
  if (!op.positions.empty()) add_row(x, op.positions.f32() + place * columns, columns);
  if (!op.types.empty()) add_row(x, op.types.f32(), columns);
}

// Adds a strip of a row of dx and asks for the row of the table that is added to after it; torch
// teaches neither row of padding.
void scatter_row(const EmbedBackward& op, int64_t token, int64_t place, Columns strip) {
  const int64_t columns = op.dx.cols, id = op.ids.i32()[token], size = strip.end - strip.begin;
  const auto row_of = [&](const Tensor& x, int64_t row) {
    return x.f32() + row * columns + strip.begin;
  };
  const float* row = row_of(op.dx, token);
  const bool is_taught = id != op.padding;
  if (is_taught && !op.dtokens.empty()) {
    const bool is_last = token + 1 == op.dx.rows;
    const float* soon = is_last ? nullptr : row_of(op.dtokens, op.ids.i32()[token + 1]);
    kernels().add_scaled_row(row, op.scale, row_of(op.dtokens, id), size, soon);
  }
  if (is_taught && !op.dpositions.empty())
    kernels().add_scaled_row(row, 1.0f, row_of(op.dpositions, place), size, nullptr);
  if (!op.dtypes.empty()) kernels().add_scaled_row(row, 1.0f, row_of(op.dtypes, 0), size, nullptr);
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
  const int64_t step = std::max<int64_t>(1, kSize / width);
  for (int64_t at = 0; at < tokens; at += step) {
    const int64_t until = std::min(tokens, at + step);
    stream.parallel_for((columns + width - 1) / width, [&](int64_t item, int) {
      const Columns strip{item * width, std::min(columns, (item + 1) * width)};
      each_text(op.offsets, at, until, [&](int64_t text, int64_t begin, int64_t end) {
        Places places(op, text, begin);
        for (int64_t token = begin; token < end; ++token) {
          scatter_row(op, token, places.of(token), strip);
        }
      });
    });
  }
}

}  // namespace inbatch::cpu
