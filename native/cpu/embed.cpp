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

constexpr int64_t kTokens = 16384;  // of a strip at a time: about a millisecond

struct Columns {
  int64_t begin, end;
};

void add_scaled(float* into, const float* row, float scale, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; ++j) into[j] += row[j] * scale;
}

void add_row(float* into, const float* row, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; ++j) into[j] += row[j];
}

void embed_row(const EmbedForward& op, int64_t token, int64_t place) {
  const int64_t columns = op.x.cols;
  float* x = op.x.f32() + token * columns;
  const float* row = op.tokens.f32() + int64_t(op.ids.i32()[token]) * columns;
  for (int64_t j = 0; j < columns; ++j) x[j] = row[j] * op.scale;
  if (!op.positions.empty()) add_row(x, op.positions.f32() + place * columns, 0, columns);
  if (!op.types.empty()) add_row(x, op.types.f32(), 0, columns);
}

// Adds a strip of a row of dx.
void scatter_row(const EmbedBackward& op, int64_t token, int64_t place, Columns strip) {
  const int64_t columns = op.dx.cols, id = op.ids.i32()[token];
  const float* row = op.dx.f32() + token * columns;
  const auto [begin, end] = strip;
  if (!op.dtokens.empty()) add_scaled(op.dtokens.f32() + id * columns, row, op.scale, begin, end);
  if (!op.dpositions.empty()) add_row(op.dpositions.f32() + place * columns, row, begin, end);
  if (!op.dtypes.empty()) add_row(op.dtypes.f32(), row, begin, end);
}

}  // namespace

template <>
void run<EmbedForward>(const Stream& stream, const EmbedForward& op) {
  over_texts(stream, op.offsets, op.x.cols, [&](int64_t text, int64_t begin, int64_t end) {
    const int64_t first = op.offsets.i32()[text] - op.position_offset;
    for (int64_t token = begin; token < end; ++token) embed_row(op, token, token - first);
  });
}

template <>
void run<EmbedBackward>(const Stream& stream, const EmbedBackward& op) {
  const int64_t tokens = op.dx.rows;
  for (int64_t at = 0; at < tokens; at += kTokens) {
    over_columns(stream, op.dx.cols, [&](int64_t column, int64_t last) {
      const auto add = [&](int64_t text, int64_t begin, int64_t end) {
        const int64_t first = op.offsets.i32()[text] - op.position_offset;
        for (int64_t token = begin; token < end; ++token)
          scatter_row(op, token, token - first, {column, last});
      };
      each_text(op.offsets, at, std::min(tokens, at + kTokens), add);
    });
  }
}

}  // namespace inbatch::cpu
