// Late interaction. Contract: ops/maxsim.h.
//
// Forward: a block per query and document, 128 threads, tiles of 32 rows of the query against tiles
// of 32 rows of the document (row_tiles.cuh); of the products nothing leaves the block but what is
// largest, and where. Backward follows the places that forward kept: a warp per row, which reads
// documents in order, or the rows of queries in order. Limited by ordinary arithmetic.
#include "../ops/maxsim.h"

#include "row_tiles.cuh"
#include "rows.cuh"

namespace inbatch::cuda {
namespace {

constexpr int kColumns = 128;  // of a tile

// Texts of packed rows.
struct Packed {
  const float* rows;
  const int32_t* offsets;
  int64_t size, count;  // rows, texts

  DEVICE int64_t begin_of(int64_t text) const {
    return min(max(int64_t(offsets[text]), int64_t(0)), size);
  }
  DEVICE int64_t end_of(int64_t text) const {
    return min(max(int64_t(offsets[text + 1]), begin_of(text)), size);
  }
};

struct MaxSim {
  Packed queries, documents;
  int64_t width;
  Candidates met;
  const int32_t* owner;
  float* scores;
  int32_t* argmax;  // may be null
};

struct MaxSimShared {
  Tile<kColumns> own, other;
  float largest[kTile];
};

// What is largest in a row so far, and where.
struct Best {
  float value = -INFINITY;
  int place = -1;

  DEVICE void meet(float other, int where) {
    const bool is_first = other == value && where >= 0 && where < place;
    if (!(other > value) && !is_first) return;
    value = other;
    place = where;
  }
};

// Of a tile of the query's rows, over all rows of the document: leaves the largest in shared
// memory.
DEVICE void meet_document(MaxSimShared& shared, const MaxSim& op, int64_t first, int count,
                          int64_t document) {
  const int64_t begin = op.documents.begin_of(document), end = op.documents.end_of(document);
  const Rows<float> own{op.queries.rows + first * op.width, op.width, count};
  const int width = int(op.width);
  Best best[kOwn];
  for (int64_t at = begin; at < end; at += kTile) {
    const int rows = int(min(int64_t(kTile), end - at));
    const Rows<float> other{op.documents.rows + at * op.width, op.width, rows};
    float s[kOwn][kOther] = {};
    for (int part = 0; part < width; part += kColumns) {
      __syncthreads();  // tiles of before read -> overwritten
      if (at == begin || width > kColumns) load_tile(shared.own, own, part, width);
      load_tile(shared.other, other, part, width);
      __syncthreads();  // tiles written -> read by all
      add_products(s, shared.own, shared.other, min(kColumns, width - part));
    }
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
#pragma unroll
      for (int j = 0; j < kOther; ++j) {
        if (other_row(j) < rows) best[i].meet(s[i][j], int(at) + other_row(j));
      }
    }
  }
#pragma unroll
  for (int i = 0; i < kOwn; ++i) {
#pragma unroll
    for (int bits = kLanes / 2; bits > 0; bits /= 2) {
      const float value = __shfl_xor_sync(all_lanes, best[i].value, bits);
      best[i].meet(value, __shfl_xor_sync(all_lanes, best[i].place, bits));
    }
    if (lane_of_tile() > 0 || own_row(i) >= count) continue;
    shared.largest[own_row(i)] = best[i].value;
    if (op.argmax) {
      op.argmax[document * op.queries.size + first + own_row(i)] = best[i].place;
    }
  }
}

// Grid (M N): documents run fastest.
__global__ void __launch_bounds__(kTileThreads) score_texts(MaxSim op) {
  auto& shared = shared_memory<MaxSimShared>();
  const int64_t query = blockIdx.x / op.documents.count, document = blockIdx.x % op.documents.count;
  const int64_t begin = op.queries.begin_of(query), end = op.queries.end_of(query);
  const bool is_met = op.met.admits(document, op.owner[document] == query);
  const bool is_empty = op.documents.begin_of(document) == op.documents.end_of(document);
  if (!is_met || is_empty) {
    for (int64_t row = begin + threadIdx.x; op.argmax && row < end; row += kTileThreads) {
      op.argmax[document * op.queries.size + row] = -1;
    }
    if (threadIdx.x == 0) op.scores[blockIdx.x] = is_met ? 0.0f : -INFINITY;
    return;
  }
  float score = 0.0f;
  for (int64_t first = begin; first < end; first += kTile) {
    const int count = int(min(int64_t(kTile), end - first));
    meet_document(shared, op, first, count, document);
    __syncthreads();  // largest of each row written -> read by one
    for (int row = 0; threadIdx.x == 0 && row < count; ++row) score += shared.largest[row];
    __syncthreads();  // largest read -> overwritten by the next rows
  }
  if (threadIdx.x == 0) op.scores[blockIdx.x] = score;
}

struct MaxSimGradient {
  Packed queries, documents;
  int64_t width;
  const int32_t* argmax;
  const float* dscores;
  float *dqueries, *ddocuments;
};

constexpr int kEach = kColumns / 32;  // columns of a lane

// sum += scale row, and what of it a lane writes.
struct LaneColumns {
  int64_t first, width;
  float sum[kEach] = {};

  DEVICE void add(const float* row, float scale) {
#pragma unroll
    for (int j = 0; j < kEach; ++j) {
      const int64_t column = first + 32 * j;
      if (column < width) sum[j] += scale * row[column];
    }
  }
  DEVICE void store(float* row) const {
#pragma unroll
    for (int j = 0; j < kEach; ++j) {
      const int64_t column = first + 32 * j;
      if (column < width) row[column] = sum[j];
    }
  }
};

// Grid (T / 8, E / 128): documents in order.
__global__ void __launch_bounds__(kRowThreads) query_gradients(MaxSimGradient op) {
  const int64_t row = row_of_warp();
  if (row >= op.queries.size) return;
  const int64_t text = text_of_row(op.queries.offsets, int(op.queries.count), row);
  if (text >= op.queries.count) return;
  LaneColumns sums{int64_t(blockIdx.y) * kColumns + lane_of_row(), op.width};
  for (int64_t document = 0; document < op.documents.count; ++document) {
    const int32_t place = op.argmax[document * op.queries.size + row];
    if (place < 0 || place >= op.documents.size) continue;
    const float scale = op.dscores[text * op.documents.count + document];
    sums.add(op.documents.rows + place * op.width, scale);
  }
  sums.store(op.dqueries + row * op.width);
}

// Grid (U / 8, E / 128): a lane looks at one of 32 rows of queries, then all take those that chose
// the warp's row, in order.
__global__ void __launch_bounds__(kRowThreads) document_gradients(MaxSimGradient op) {
  const int64_t row = row_of_warp();
  if (row >= op.documents.size) return;
  const int64_t document = text_of_row(op.documents.offsets, int(op.documents.count), row);
  if (document >= op.documents.count) return;
  LaneColumns sums{int64_t(blockIdx.y) * kColumns + lane_of_row(), op.width};
  const int32_t* places = op.argmax + document * op.queries.size;
  for (int64_t first = 0; first < op.queries.size; first += 32) {
    const int64_t own = first + lane_of_row();
    unsigned chosen =
        __ballot_sync(all_lanes, own < op.queries.size && places[own] == int32_t(row));
    for (int64_t query = first; chosen > 0; ++query, chosen /= 2) {
      if (chosen % 2 == 0) continue;
      const int64_t text = text_of_row(op.queries.offsets, int(op.queries.count), query);
      if (text >= op.queries.count) continue;
      const float scale = op.dscores[text * op.documents.count + document];
      sums.add(op.queries.rows + query * op.width, scale);
    }
  }
  sums.store(op.ddocuments + row * op.width);
}

template <class Op>
Packed queries_of(const Op& op) {
  return {op.queries.f32(), op.query_offsets.i32(), op.queries.rows, op.query_count()};
}

template <class Op>
Packed documents_of(const Op& op) {
  return {op.documents.f32(), op.document_offsets.i32(), op.documents.rows, op.document_count()};
}

}  // namespace

template <>
void run<MaxSimForward>(const Stream& stream, const MaxSimForward& op) {
  const MaxSim given{queries_of(op), documents_of(op), op.queries.cols, op,
                     op.owner.i32(), op.scores.f32(),  op.argmax.i32()};
  const unsigned blocks = blocks_of(op.scores.size(), 1);
  launch(stream, {dim3(blocks), dim3(kTileThreads), sizeof(MaxSimShared)}, score_texts, given);
}

template <>
void run<MaxSimBackward>(const Stream& stream, const MaxSimBackward& op) {
  const MaxSimGradient given{queries_of(op),     documents_of(op), op.queries.cols,
                             op.argmax.i32(),    op.dscores.f32(), op.dqueries.f32(),
                             op.ddocuments.f32()};
  const unsigned parts = blocks_of(op.queries.cols, kColumns);
  const auto extent_of = [&](int64_t rows) {
    return Extent{dim3(blocks_of(rows, kRowsEach), parts), dim3(kRowThreads)};
  };
  if (!op.dqueries.empty()) launch(stream, extent_of(op.queries.rows), query_gradients, given);
  if (!op.ddocuments.empty()) {
    launch(stream, extent_of(op.documents.rows), document_gradients, given);
  }
}

}  // namespace inbatch::cuda
