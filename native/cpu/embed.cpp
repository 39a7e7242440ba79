// Ids to rows. Contract: ops/embed.h.
//
// Backward is cut by columns, so that no two threads add to one element and every chain keeps the
// order of the tokens.
#include "../ops/embed.h"

#include <algorithm>

#include "../ops/run.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kColumns = 64;

void add_scaled(float* into, const float* row, float scale, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; ++j) into[j] += row[j] * scale;
}

void add_row(float* into, const float* row, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; ++j) into[j] += row[j];
}

void embed_text(const EmbedForward& op, int64_t text) {
  const int32_t* offsets = op.offsets.i32();
  const int64_t columns = op.x.cols;
  for (int64_t token = offsets[text]; token < offsets[text + 1]; ++token) {
    float* x = op.x.f32() + token * columns;
    const float* row = op.tokens.f32() + int64_t(op.ids.i32()[token]) * columns;
    for (int64_t j = 0; j < columns; ++j) x[j] = row[j] * op.scale;
    const int64_t place = token - offsets[text] + op.position_offset;
    if (!op.positions.empty()) add_row(x, op.positions.f32() + place * columns, 0, columns);
    if (!op.types.empty()) add_row(x, op.types.f32(), 0, columns);
  }
}

void scatter(const EmbedBackward& op, int64_t begin, int64_t end) {
  const int32_t* offsets = op.offsets.i32();
  const int64_t columns = op.dx.cols;
  for (int64_t text = 0; text + 1 < op.offsets.size(); ++text) {
    for (int64_t token = offsets[text]; token < offsets[text + 1]; ++token) {
      const float* row = op.dx.f32() + token * columns;
      const int64_t id = op.ids.i32()[token];
      const int64_t place = token - offsets[text] + op.position_offset;
      if (!op.dtokens.empty())
        add_scaled(op.dtokens.f32() + id * columns, row, op.scale, begin, end);
      if (!op.dpositions.empty()) add_row(op.dpositions.f32() + place * columns, row, begin, end);
      if (!op.dtypes.empty()) add_row(op.dtypes.f32(), row, begin, end);
    }
  }
}

}  // namespace

template <>
void run<EmbedForward>(const Stream& stream, const EmbedForward& op) {
  stream.parallel_for(op.offsets.size() - 1, [&](int64_t text, int) { embed_text(op, text); });
}

template <>
void run<EmbedBackward>(const Stream& stream, const EmbedBackward& op) {
  const int64_t columns = op.dx.cols;
  stream.parallel_for((columns + kColumns - 1) / kColumns, [&](int64_t item, int) {
    scatter(op, item * kColumns, std::min(columns, (item + 1) * kColumns));
  });
}

}  // namespace inbatch::cpu
