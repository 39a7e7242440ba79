// Sums over rows for each column, added to what is there, text by text in their order. So rows that
// are given in several calls, cut between texts, leave the same bits as rows given in one; nothing
// is added atomically.
//
// In two stages: a text's rows in pieces of 128, then the pieces in one chain (row_chain.cuh). A
// warp has a piece and 32 columns, a lane one column, so that it reads neighbours and a text of few
// rows costs a few reads. Rows of texts limit it by memory, texts of one row by the chain.
#pragma once

#include "row_chain.cuh"
#include "rows.cuh"

namespace inbatch::cuda {

constexpr int kPieceRows = 128;

// Where the texts of `rows` rows begin, and their pieces: that of number `slot` is empty for some.
// Without offsets each row is a text.
struct Pieces {
  const int32_t* offsets;
  int64_t texts, rows;
  int each = 1;  // rows that an offset counts as one

  Pieces(const Tensor& given, int64_t count, int rows_each = 1)
      : offsets(given.empty() ? nullptr : given.i32()),
        texts(given.empty() ? count : given.size() - 1),
        rows(count),
        each(rows_each) {}

  int64_t slots() const { return offsets ? texts + rows / kPieceRows + 1 : rows; }
  DEVICE int64_t begin_of(int64_t text) const { return int64_t(offsets[text]) * each; }
  // The first slot of a text: those of the text before end below it.
  DEVICE int64_t slot_of(int64_t text) const { return text + begin_of(text) / kPieceRows; }
};

struct Piece {
  int64_t begin, end;
};

DEVICE Piece piece_of(const Pieces& pieces, int64_t slot) {
  if (!pieces.offsets) return {slot, slot + 1};
  int64_t first = 0, last = pieces.texts;  // the last text whose first slot is not beyond
  while (last - first > 1) {
    const int64_t middle = (first + last) / 2;
    if (pieces.slot_of(middle) <= slot) {
      first = middle;
    } else {
      last = middle;
    }
  }
  const int64_t end = pieces.begin_of(first + 1);
  const int64_t begin = pieces.begin_of(first) + (slot - pieces.slot_of(first)) * kPieceRows;
  return {begin, begin + kPieceRows < end ? begin + kPieceRows : end};
}

// Grid (slots / 8, C / 32), 256 threads. parts is (count, slots, C); an empty piece gives zero.
// body(row, column, sums) adds what the element gives to each of `count` sums.
template <int count, class Body>
__global__ void __launch_bounds__(kRowThreads)
    sum_pieces(Body body, Pieces pieces, float* parts, int64_t slots, int64_t columns) {
  const int64_t slot = row_of_warp(), column = int64_t(blockIdx.y) * 32 + lane_of_row();
  if (slot >= slots || column >= columns) return;
  const Piece piece = piece_of(pieces, slot);
  float sums[count] = {};
#pragma unroll 4
  for (int64_t row = piece.begin; row < piece.end; ++row) body(row, column, sums);
#pragma unroll
  for (int i = 0; i < count; ++i) parts[(i * slots + slot) * columns + column] = sums[i];
}

// Adds to each total (1, C), unless it is null, the sum over the rows of what body gives to it.
template <int count, class Body>
void add_columns(const Stream& stream, const Pieces& pieces, int64_t columns, const Body& body,
                 float* const (&totals)[count]) {
  if (pieces.rows == 0 || columns == 0) return;
  const Scope scope(stream.scratch());
  const int64_t slots = pieces.slots();
  const Tensor parts = stream.scratch().tensor(count * slots, columns);
  const dim3 grid(blocks_of(slots, kRowsEach), blocks_of(columns, 32));
  launch(stream, {grid, dim3(kRowThreads)}, sum_pieces<count, Body>, body, pieces, parts.f32(),
         slots, columns);
  for (int i = 0; i < count; ++i) {
    if (totals[i]) add_rows(stream, totals[i], parts.slice(i * slots, slots));
  }
}

}  // namespace inbatch::cuda
