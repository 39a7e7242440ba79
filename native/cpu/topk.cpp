// Exact search. Contract: ops/topk.h.
//
// A few rows of the corpus become panels in the first caches and the queries pass them, up to 256
// for one reading of the corpus, so that a few queries cost little more than reading it. Finished
// scores are compared 16 at once with the limit of their query; only what passes meets a heap. Each
// worker has heaps of its own. What is best is a total order, so neither their number nor the cut
// of the rows into items is seen in the result. Queries as panels and rows read in place cost one
// query 60 % more (Zen 4): fifteen lanes of sixteen were idle.
#include "../ops/topk.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "../ops/linear.h"
#include "../ops/run.h"
#include "kernels.h"

namespace inbatch::cpu {
namespace {

constexpr int64_t kRows = 64;                // rows of the corpus at once: 96 KiB at a width of 384
constexpr int64_t kQueries = 256;            // queries at once: 384 KiB
constexpr int64_t kHeap = int64_t(1) << 20;  // places in the heaps of a worker: 8 MiB
constexpr int64_t kItem = int64_t(1) << 26;  // multiply-adds of one item at most

constexpr float kInfinity = std::numeric_limits<float>::infinity();

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct Hit {
  float score;
  int32_t id;
};

bool is_better(const Hit& a, const Hit& b) {
  return a.score > b.score || (a.score == b.score && a.id < b.id);
}

// The best so far of a block of queries: a heap for each, its worst in front.
struct Heaps {
  int64_t depth;
  Hit* hits;       // (queries, depth)
  int64_t* sizes;  // of each query
  float* limits;   // of each query: a score up to it cannot enter

  void offer(int64_t query, Hit hit) {
    Hit *front = hits + query * depth, *end = front + sizes[query];
    if (sizes[query] == depth) {
      if (!is_better(hit, *front)) return;
      std::pop_heap(front, end, is_better);
      --end;
    } else {
      ++sizes[query];
    }
    *end++ = hit;
    std::push_heap(front, end, is_better);
    // an equal score may still enter by a lower id
    if (sizes[query] < depth) return;
    limits[query] = std::max(limits[query], std::nextafter(front->score, -kInfinity));
  }
};

// The queries of one pass over the corpus.
struct Block {
  const TopK& op;
  int64_t begin, count;
  Heaps* heaps;  // of each worker

  int64_t depth() const { return op.scores.cols; }
};

// Empty heaps, whose limits are the worst of the result so far.
Heaps empty_heaps(Arena& arena, const Block& block) {
  const int64_t depth = block.depth();
  Heaps heaps{depth, static_cast<Hit*>(arena.push(size_t(block.count * depth) * sizeof(Hit))),
              static_cast<int64_t*>(arena.push(size_t(block.count) * sizeof(int64_t))),
              arena.tensor(1, block.count).f32()};
  for (int64_t query = 0; query < block.count; ++query) {
    const int64_t last = (block.begin + query + 1) * depth - 1;
    heaps.sizes[query] = 0;
    heaps.limits[query] = block.op.ids.i32()[last] < 0
                              ? -kInfinity
                              : std::nextafter(block.op.scores.f32()[last], -kInfinity);
  }
  return heaps;
}

// Rows [begin, end) of the corpus against the queries of the block.
void scan(const Stream& stream, const Block& block, int64_t begin, int64_t end, int worker) {
  const TopK& op = block.op;
  const int64_t width = op.corpus.cols;
  Arena& arena = stream.scratch(worker);
  Heaps& heaps = block.heaps[stream.threads() > 1 ? worker : 0];
  float* panels = arena.tensor(kRows, width).f32();
  float* scores = arena.tensor(block.count, kRows).f32();
  int32_t* places = arena.tensor(block.count, kRows, Type::I32).i32();
  for (int64_t row = begin; row < end; row += kRows) {
    if (stream.is_cancelled()) throw Cancelled();
    const int64_t rows = std::min(kRows, end - row);
    kernels().transpose_panels(op.corpus.f32() + row * width, width, rows, width, panels);
    kernels().product({op.queries.f32() + block.begin * width, width, false, panels, kPanel * width,
                       scores, kRows, block.count, panels_of(rows) * kPanel, width});
    const int64_t found =
        kernels().find_greater(scores, kRows, block.count, rows, heaps.limits, places);
    for (int64_t i = 0; i < found; ++i) {
      const auto id = int32_t(op.base + row + places[i] % kRows);
      heaps.offer(places[i] / kRows, {scores[places[i]], id});
    }
  }
}

// Puts the best of the result so far and of all heaps back into the result.
void merge(const Stream& stream, const Block& block, int64_t query, Arena& arena) {
  const int64_t depth = block.depth(), at = (block.begin + query) * depth;
  float* scores = block.op.scores.f32() + at;
  int32_t* ids = block.op.ids.i32() + at;
  auto* all = static_cast<Hit*>(arena.push(size_t((stream.threads() + 1) * depth) * sizeof(Hit)));
  Hit* end = all;
  for (int64_t i = 0; i < depth && ids[i] >= 0; ++i) *end++ = {scores[i], ids[i]};
  for (int64_t worker = 0; worker < stream.threads(); ++worker) {
    const Heaps& heaps = block.heaps[worker];
    end = std::copy_n(heaps.hits + query * depth, heaps.sizes[query], end);
  }
  const int64_t kept = std::min<int64_t>(depth, end - all);
  std::partial_sort(all, all + kept, end, is_better);
  for (int64_t i = 0; i < kept; ++i) {
    scores[i] = all[i].score;
    ids[i] = all[i].id;
  }
}

// Rows of an item: a few items for each thread, none of them long.
int64_t item_rows(const Stream& stream, const Block& block) {
  const int64_t work = std::max<int64_t>(1, (block.count + 8) * block.op.corpus.cols);
  const int64_t share = ceil_div(block.op.corpus.rows, 8 * stream.threads());
  return ceil_div(std::max<int64_t>(1, std::min(share, kItem / work)), kRows) * kRows;
}

void search(const Stream& stream, const TopK& op, int64_t begin, int64_t count) {
  Arena& arena = stream.scratch();
  Scope scope(arena);
  Block block{op, begin, count, nullptr};
  block.heaps = static_cast<Heaps*>(arena.push(size_t(stream.threads()) * sizeof(Heaps)));
  for (int worker = 0; worker < stream.threads(); ++worker) {
    block.heaps[worker] = empty_heaps(arena, block);
  }
  const int64_t rows = item_rows(stream, block), all = op.corpus.rows;
  stream.parallel_for(ceil_div(all, rows), [&](int64_t item, int worker) {
    scan(stream, block, item * rows, std::min(all, (item + 1) * rows), worker);
  });
  stream.parallel_for(count, [&](int64_t query, int worker) {
    merge(stream, block, query, stream.scratch(worker));
  });
}

}  // namespace

template <>
void run<TopK>(const Stream& stream, const TopK& op) {
  const int64_t depth = op.scores.cols;
  if (depth == 0 || op.corpus.rows == 0) return;
  const int64_t most = std::clamp(kHeap / depth, int64_t(1), kQueries);
  for (int64_t query = 0; query < op.queries.rows; query += most) {
    search(stream, op, query, std::min(most, op.queries.rows - query));
  }
}

}  // namespace inbatch::cpu
