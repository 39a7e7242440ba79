// Late interaction. Contract: ops/maxsim.h.
//
// An item is a document: its tokens become panels, some 256 at once, which the tokens of all
// queries that meet it pass in blocks; a tile of products is read once for what is largest in each
// row and where. So a document is packed once, its panels stay in the first caches, and there is no
// more of the products than a tile. Backward follows the places that forward kept: a query's item
// reads documents in order, a document's item queries in order, so every sum has one writer.
#include "../ops/maxsim.h"

#include <algorithm>
#include <limits>

#include "../ops/linear.h"
#include "../ops/run.h"
#include "kernels.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kRows = 96;    // tokens of queries at once
constexpr int64_t kLanes = 256;  // tokens of a document at once

constexpr float kNothing = -std::numeric_limits<float>::infinity();

struct Rows {
  int64_t begin, end;
};

// The rows of a text, cut to what is there.
Rows rows_of(const Tensor& offsets, int64_t text, const Tensor& all) {
  const int32_t* at = offsets.i32() + text;
  const int64_t begin = std::clamp<int64_t>(at[0], 0, all.rows);
  return {begin, std::clamp<int64_t>(at[1], begin, all.rows)};
}

// A document on its way past the queries.
struct Passing {
  const MaxSimForward& op;
  float *panels, *tile;
  float* most;     // of each row of the queries
  int32_t* place;  // of each row of the queries
};

// The tokens [first, first + count) of the document against rows of queries.
void meet(const Stream& stream, const Passing& passing, Rows queries, int64_t first,
          int64_t count) {
  const auto& [op, panels, tile, most, place] = passing;
  const int64_t width = op.queries.cols;
  for (int64_t row = queries.begin; row < queries.end; row += kRows) {
    if (stream.is_cancelled()) throw Cancelled();
    const int64_t rows = std::min(kRows, queries.end - row);
    kernels().product({op.queries.f32() + row * width, width, false, panels, kPanel * width, tile,
                       kLanes, rows, panels_of(count) * kPanel, width});
    kernels().best_of_rows({tile, kLanes, rows, count, int32_t(first), most + row, place + row});
  }
}

float score_of(const Passing& passing, Rows query) {
  float score = 0;
  for (int64_t row = query.begin; row < query.end; ++row) score += passing.most[row];
  return score;
}

void score_document(const Stream& stream, const MaxSimForward& op, int64_t document, Arena& arena) {
  const int64_t tokens = op.queries.rows, width = op.queries.cols, texts = op.query_count();
  const Rows rows = rows_of(op.document_offsets, document, op.documents);
  const int64_t owner = op.owner.i32()[document];
  const bool has_owner = owner >= 0 && owner < texts;
  const bool own = has_owner && op.admits(document, true), others = op.admits(document, false);
  const Rows owned = has_owner ? rows_of(op.query_offsets, owner, op.queries) : Rows{0, 0};
  const Passing passing{
      op, arena.tensor(panels_of(std::min(kLanes, rows.end - rows.begin)), kPanel * width).f32(),
      arena.tensor(kRows, kLanes).f32(), arena.tensor(1, tokens).f32(),
      op.argmax.empty() ? arena.tensor(1, tokens, Type::I32).i32()
                        : op.argmax.i32() + document * tokens};
  std::fill_n(passing.most, tokens, kNothing);
  std::fill_n(passing.place, tokens, -1);
  for (int64_t at = rows.begin; at < rows.end; at += kLanes) {
    const int64_t count = std::min(kLanes, rows.end - at);
    kernels().transpose_panels(op.documents.f32() + at * width, width, count, width,
                               passing.panels);
    if (own) meet(stream, passing, owned, at, count);
    if (!others) continue;
    meet(stream, passing, {0, owned.begin}, at, count);
    meet(stream, passing, {owned.end, tokens}, at, count);
  }
  const bool is_empty = rows.begin == rows.end;
  for (int64_t text = 0; text < texts; ++text) {
    const bool is_met = has_owner && text == owner ? own : others;
    float& score = op.scores.f32()[text * op.document_count() + document];
    score = !is_met    ? kNothing
            : is_empty ? 0.0f
                       : score_of(passing, rows_of(op.query_offsets, text, op.queries));
  }
}

void add_scaled(float* y, const float* x, float scale, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] += scale * x[i];
}

// The gradient of the rows of one query: documents in order.
void query_gradient(const MaxSimBackward& op, int64_t text) {
  const int64_t width = op.queries.cols, documents = op.document_count();
  const Rows rows = rows_of(op.query_offsets, text, op.queries);
  float* dx = op.dqueries.f32();
  std::fill(dx + rows.begin * width, dx + rows.end * width, 0.0f);
  for (int64_t document = 0; document < documents; ++document) {
    const float dscore = op.dscores.f32()[text * documents + document];
    const int32_t* place = op.argmax.i32() + document * op.queries.rows;
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      if (place[row] < 0 || place[row] >= op.documents.rows) continue;
      add_scaled(dx + row * width, op.documents.f32() + place[row] * width, dscore, width);
    }
  }
}

// The gradient of the rows of one document: queries in order.
void document_gradient(const MaxSimBackward& op, int64_t document) {
  const int64_t width = op.queries.cols, documents = op.document_count();
  const Rows rows = rows_of(op.document_offsets, document, op.documents);
  float* dx = op.ddocuments.f32();
  std::fill(dx + rows.begin * width, dx + rows.end * width, 0.0f);
  const int32_t* place = op.argmax.i32() + document * op.queries.rows;
  for (int64_t text = 0; text < op.query_count(); ++text) {
    const float dscore = op.dscores.f32()[text * documents + document];
    const Rows own = rows_of(op.query_offsets, text, op.queries);
    for (int64_t row = own.begin; row < own.end; ++row) {
      if (place[row] < rows.begin || place[row] >= rows.end) continue;
      add_scaled(dx + place[row] * width, op.queries.f32() + row * width, dscore, width);
    }
  }
}

}  // namespace

template <>
void run<MaxSimForward>(const Stream& stream, const MaxSimForward& op) {
  stream.parallel_for(op.document_count(), [&](int64_t document, int worker) {
    score_document(stream, op, document, stream.scratch(worker));
  });
}

template <>
void run<MaxSimBackward>(const Stream& stream, const MaxSimBackward& op) {
  if (!op.dqueries.empty()) {
    stream.parallel_for(op.query_count(), [&](int64_t text, int) { query_gradient(op, text); });
  }
  if (!op.ddocuments.empty()) {
    stream.parallel_for(op.document_count(),
                        [&](int64_t document, int) { document_gradient(op, document); });
  }
}

}  // namespace inbatch::cpu
