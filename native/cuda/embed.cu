// Ids to rows. Contract: ops/embed.h.
//
// Forward: a warp per token, each row read and written once; memory limits it. Backward: tokens are
// sorted by the row that they came from, then each row of a table has one writer (sort.cuh). Types
// have one row for all tokens: columns.cuh.
#include "../ops/embed.h"

#include "columns.cuh"
#include "rows.cuh"
#include "sort.cuh"

namespace inbatch::cuda {
namespace {

// The texts of an op, and which row of positions a token reads.
struct TextIds {
  const int32_t *ids, *offsets;
  int texts, position_offset, padding;

  template <class Op>
  explicit TextIds(const Op& op)
      : ids(op.ids.i32()),
        offsets(op.offsets.i32()),
        texts(int(op.offsets.size() - 1)),
        position_offset(op.position_offset),
        padding(op.padding) {}

  DEVICE bool is_padding(int64_t token) const { return padding >= 0 && ids[token] == padding; }
  // In every lane of the warp that calls it.
  DEVICE int64_t place_of(int64_t token) const {
    if (is_padding(token)) return position_offset - 1;
    const int64_t first = offsets[text_of_row(offsets, texts, token)];
    int skipped = 0;
    if (padding >= 0) {
      for (int64_t at = first + lane_of_row(); at < token; at += 32) skipped += is_padding(at);
      skipped = warp_sum(skipped);
    }
    return token - first + position_offset - skipped;
  }
};

struct Tables {
  const float *tokens, *positions, *types;  // all but the first may be null
  float scale;
};

template <class T>
__global__ void __launch_bounds__(kRowThreads)
    embed_rows(TextIds texts, Tables tables, T* __restrict__ x, int64_t rows, int64_t columns) {
  const int64_t token = row_of_warp();
  if (token >= rows) return;
  const int64_t place = tables.positions ? texts.place_of(token) : 0;
  const float* row = tables.tokens + texts.ids[token] * columns;
  for (int64_t j = lane_of_row(); j < columns; j += 32) {
    float sum = __fmul_rn(row[j], tables.scale);
    if (tables.positions) sum += tables.positions[place * columns + j];
    if (tables.types) sum += tables.types[j];
    x[token * columns + j] = T(sum);
  }
}

// The row of a table that each token teaches; `limit` for none.
struct TaughtToken {
  TextIds texts;
  int32_t* keys;
  int32_t limit;
  DEVICE void operator()(int64_t token) const {
    keys[token] = texts.is_padding(token) ? limit : texts.ids[token];
  }
};

__global__ void __launch_bounds__(kRowThreads)
    find_places(TextIds texts, int32_t* keys, int32_t limit, int64_t rows) {
  const int64_t token = row_of_warp();
  if (token >= rows) return;
  const int64_t place = texts.place_of(token);
  if (lane_of_row() == 0) keys[token] = texts.is_padding(token) ? limit : int32_t(place);
}

template <class T>
struct ColumnOf {
  const T* x;
  int64_t columns;
  DEVICE void operator()(int64_t row, int64_t column, float (&sums)[1]) const {
    sums[0] += float(x[row * columns + column]);
  }
};

}  // namespace

template <>
void run<EmbedForward>(const Stream& stream, const EmbedForward& op) {
  const Tables tables{op.tokens.f32(), op.positions.f32(), op.types.f32(), op.scale};
  with_type(op.x, [&](auto* x) {
    launch(stream, rows_extent(op.x.rows), embed_rows<std::remove_pointer_t<decltype(x)>>,
           TextIds(op), tables, x, op.x.rows, op.x.cols);
  });
}

template <>
void run<EmbedBackward>(const Stream& stream, const EmbedBackward& op) {
  const int64_t tokens = op.dx.rows;
  const Scope scope(stream.scratch());
  int32_t* keys = stream.scratch().tensor(1, tokens, Type::I32).i32();
  if (!op.dtokens.empty()) {
    const int32_t limit = int32_t(op.dtokens.rows);
    const Scope inner(stream.scratch());
    over_elements(stream, tokens, TaughtToken{TextIds(op), keys, limit});
    add_runs(stream, sort_places(stream, keys, tokens, limit), op.dx, op.dtokens, op.scale, true);
  }
  if (!op.dpositions.empty()) {
    const int32_t limit = int32_t(op.dpositions.rows);
    const Scope inner(stream.scratch());
    launch(stream, rows_extent(tokens), find_places, TextIds(op), keys, limit, tokens);
    add_runs(stream, sort_places(stream, keys, tokens, limit), op.dx, op.dpositions, 1.0f, true);
  }
  if (!op.dtypes.empty()) {
    with_type(op.dx, [&](auto* dx) {
      using T = std::remove_pointer_t<decltype(dx)>;
      add_columns(stream, Pieces(op.offsets, tokens), op.dx.cols, ColumnOf<T>{dx, op.dx.cols},
                  {op.dtypes.f32()});
    });
  }
}

}  // namespace inbatch::cuda
