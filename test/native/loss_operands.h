// Rows of the ops that losses and search are made of. See operands.h.
#pragma once

#include <algorithm>

#include "../../native/ops/all.h"
#include "draw.h"

namespace inbatch::driver {

inline void fill(MapForward& op, Draw& draw) {
  op.parameter = 0.75f;
  op.x = draw.positive(draw.tokens, draw.extents.width);
  op.y = draw.blank(draw.tokens, draw.extents.width);
}
inline void fill(MapBackward& op, Draw& draw) {
  op.parameter = 0.75f;
  op.x = draw.positive(draw.tokens, draw.extents.width);
  op.dy = draw.floats(draw.tokens, draw.extents.width);
  op.dx = draw.blank(draw.tokens, draw.extents.width);
}
inline void fill(CombineForward& op, Draw& draw) {
  op.a = draw.floats(draw.tokens, 1);
  op.b = draw.positive(1, draw.extents.width);
  op.y = draw.blank(draw.tokens, draw.extents.width);
}
inline void fill(CombineBackward& op, Draw& draw) {
  op.a = draw.floats(draw.tokens, draw.extents.width);
  op.b = draw.positive(1, draw.extents.width);
  op.dy = draw.floats(draw.tokens, draw.extents.width);
  op.da = draw.blank(draw.tokens, draw.extents.width);
  if (!draw.extents.is_bare) op.db = draw.blank(draw.tokens, draw.extents.width);
}
inline void fill(Reduce& op, Draw& draw) {
  op.x = draw.floats(draw.tokens, draw.extents.width);
  op.y = draw.extents.is_bare ? draw.blank(1, draw.extents.width) : draw.blank(draw.tokens, 1);
}
inline void fill(Spread& op, Draw& draw) {
  op.x = draw.extents.is_bare ? draw.floats(1, draw.extents.width) : draw.floats(draw.tokens, 1);
  op.y = draw.blank(draw.tokens, draw.extents.width);
}
inline void fill(RowDots& op, Draw& draw) {
  op.a = draw.floats(draw.tokens, draw.extents.width);
  op.b = draw.floats(draw.tokens, draw.extents.width);
  op.y = draw.blank(draw.tokens, 1);
}
inline void fill(LogSumExpForward& op, Draw& draw) {
  op.x = draw.floats(draw.tokens, draw.extents.width);
  op.y = draw.blank(draw.tokens, 1);
}
inline void fill(LogSumExpBackward& op, Draw& draw) {
  op.x = draw.floats(draw.tokens, draw.extents.width);
  op.y = draw.positive(draw.tokens, 1);
  op.dy = draw.floats(draw.tokens, 1);
  op.dx = draw.blank(draw.tokens, draw.extents.width);
}

inline void fill(Cut& op, Draw& draw) {
  op.column = draw.extents.width / 3;
  op.x = draw.floats(draw.tokens, draw.extents.width);
  op.y = draw.blank(draw.tokens, draw.extents.width - op.column);
}
inline void fill(Paste& op, Draw& draw) {
  op.row = draw.tokens / 3;
  op.column = draw.extents.width / 3;
  op.x = draw.floats(draw.tokens - op.row, draw.extents.width - op.column);
  op.y = draw.floats(draw.tokens, draw.extents.width);
}
inline void fill(Transpose& op, Draw& draw) {
  op.x = draw.floats(draw.tokens, draw.extents.width);
  op.y = draw.blank(draw.extents.width, draw.tokens);
}
inline void fill(PickForward& op, Draw& draw) {
  op.x = draw.floats(draw.tokens, draw.extents.width);
  op.columns = draw.integers(1, draw.tokens, draw.extents.width);
  op.y = draw.blank(draw.tokens, 1);
}
inline void fill(PickBackward& op, Draw& draw) {
  op.dy = draw.floats(draw.tokens, 1);
  op.columns = draw.integers(1, draw.tokens, draw.extents.width);
  op.dx = draw.blank(draw.tokens, draw.extents.width);
}
inline void fill(GatherForward& op, Draw& draw) {
  op.x = draw.floats(draw.extents.inner, draw.extents.width);
  op.rows = draw.integers(1, draw.tokens, draw.extents.inner);
  op.y = draw.blank(draw.tokens, draw.extents.width);
}
inline void fill(GatherBackward& op, Draw& draw) {
  op.dy = draw.floats(draw.tokens, draw.extents.width);
  op.rows = draw.integers(1, draw.tokens, draw.extents.inner);
  op.dx = draw.blank(draw.extents.inner, draw.extents.width);
}

// One key a row and list.
inline void fill_rules(ContrastRules& op, Draw& draw, int64_t rows, int64_t columns) {
  constexpr int64_t kLists = 2, kKeys = 5, kWidth = 7;
  op.list_offsets = draw.counting(kLists, rows + 1);
  op.list_keys = draw.integers(1, kLists + rows, kKeys);
  op.column_keys = draw.integers(kLists, columns, kKeys);
  op.row_set = draw.integers(rows, 1, 2);
  op.column_set = draw.integers(columns, 1, 2);
  op.limit = draw.positive(rows, 1);
  op.guide_rows = draw.floats(rows, kWidth);
  op.guide_columns = draw.floats(columns, kWidth);
  op.guide_row_scale = draw.positive(rows, 1);
  op.guide_column_scale = draw.positive(columns, 1);
  op.guide_limit = draw.positive(rows, 1);
}
// Leading columns of two widths, or of all alone.
inline Tensor two_widths(Draw& draw, bool wanted) {
  if (!wanted || draw.extents.width <= 16) return {};
  const Tensor widths = draw.integers(1, 2, 1);
  widths.i32()[0] = 16;
  widths.i32()[1] = int32_t(draw.extents.width);
  return widths;
}
inline void fill_operands(ContrastOperands& op, Draw& draw) {
  const int64_t rows = draw.tokens, columns = draw.tokens + draw.extents.inner;
  op.widths = two_widths(draw, !op.own_hard);
  op.short_products = false;  // of cards alone
  const int64_t each = op.width_count();
  op.rows = draw.floats(rows, draw.extents.width);
  op.columns = draw.floats(columns, draw.extents.width);
  op.row_scale = draw.optional(draw.positive(rows, each));
  op.column_scale = draw.optional(draw.positive(columns, each));
  op.temperature = draw.positive(1, 1);
  op.owner = draw.integers(columns, 1, rows + 1);
  op.positives = rows;
  if (draw.extents.is_bare) return;
  fill_rules(op, draw, rows, columns);
  if (!op.widths.empty()) op.limit = op.guide_limit = {};
  op.lowest = -1;
  op.hardness = 0.5f;
}
inline void fill(ContrastForward& op, Draw& draw) {
  fill_operands(op, draw);
  op.lse = draw.blank(draw.tokens, op.width_count());
  if (!draw.extents.is_bare) {
    op.mean = draw.blank(draw.tokens, op.width_count());
    op.removed = draw.blank(1, op.rules());
    op.suspects = draw.blank(draw.tokens, 2);
  }
  op.count = draw.integers(draw.tokens, 1, 1);
}
inline void fill(ContrastBackward& op, Draw& draw) {
  fill_operands(op, draw);
  op.lse = draw.positive(draw.tokens, op.width_count());
  op.count = draw.integers(draw.tokens, 1, 5);
  op.dlse = draw.floats(draw.tokens, op.width_count());
  op.dmean = draw.optional(draw.floats(draw.tokens, op.width_count()));
  op.drows = draw.blank(op.rows.rows, op.rows.cols);
  op.dcolumns = draw.blank(op.columns.rows, op.columns.cols);
  if (!draw.extents.is_bare) op.dtemperature = draw.blank(1, 1);
}
inline void fill(RowNorms& op, Draw& draw) {
  op.x = draw.floats(draw.tokens, draw.extents.width);
  op.widths = two_widths(draw, !draw.extents.is_bare);
  op.inverse = draw.blank(draw.tokens, std::max<int64_t>(1, op.widths.size()));
}
inline void fill(OrderedPairs& op, Draw& draw) {
  const int64_t rows = draw.extents.width;
  op.margin = 0.125f;
  op.found = draw.floats(rows, rows);
  op.wanted = draw.floats(rows, rows);
  op.value = draw.blank(1, 1);
  if (!draw.extents.is_bare) op.slope = draw.blank(rows, rows);
}
// Queries and documents are the same texts.
inline void fill_operands(MaxSimOperands& op, Draw& draw) {
  op.queries = draw.floats(draw.tokens, draw.extents.width);
  op.query_offsets = draw.offsets();
  op.documents = draw.floats(draw.tokens, draw.extents.width);
  op.document_offsets = draw.offsets();
}
inline void fill(MaxSimForward& op, Draw& draw) {
  fill_operands(op, draw);
  op.owner = draw.integers(1, draw.texts, draw.texts + 1);
  op.positives = draw.texts / 2;
  op.scores = draw.blank(draw.texts, draw.texts);
  if (!draw.extents.is_bare) op.argmax = draw.integers(draw.texts, draw.tokens, 1);
}
inline void fill(MaxSimBackward& op, Draw& draw) {
  fill_operands(op, draw);
  op.argmax = draw.integers(draw.texts, draw.tokens, draw.tokens + 1);
  op.dscores = draw.floats(draw.texts, draw.texts);
  if (!draw.extents.is_bare) op.dqueries = draw.blank(draw.tokens, draw.extents.width);
  op.ddocuments = draw.blank(draw.tokens, draw.extents.width);
}
inline void fill(TopK& op, Draw& draw) {
  constexpr int64_t kBest = 7;
  op.queries = draw.floats(draw.texts, draw.extents.width);
  op.corpus = draw.floats(draw.tokens, draw.extents.width);
  op.scores = draw.floats(draw.texts, kBest);
  op.ids = draw.integers(draw.texts, kBest, 1000);
  op.base = 1000;
}

}  // namespace inbatch::driver
