// Exact search: the best inner products of each query with the rows of a corpus.
#pragma once

#include "matrix.h"

namespace inbatch {

// scores, ids = the k best of what they hold and of all <queries_q, corpus_m> with id base + m.
//
//   queries  (Q, E) f32, or bf16 on a card
//   corpus   (M, E) type of queries, a slice of the corpus; its rows have the ids base ..
//            base + M - 1
//   scores   (Q, k) f32, in and out: the best first, of equal scores the lower id
//   ids      (Q, k) i32, in and out
//
// A place that nothing holds has score -infinity and id -1; a search starts with k of them. Which k
// are best is decided by (score falling, id rising) alone, so slices may come in any order and
// size, each once. A score is summed in f32, in one chain of multiply-adds over E in order, of bf16
// sixteen products at a time: its bits depend on the pair only, whatever else is searched. A score
// that is NaN or -infinity is never taken.
struct TopK {
  Tensor queries, corpus, scores, ids;
  int64_t base = 0;

  static constexpr int64_t kIds = int64_t(1) << 31;
  static constexpr auto name = "topK";
  static constexpr auto fields() {
    using Op = TopK;
    return std::tuple{field("queries", &Op::queries), field("corpus", &Op::corpus),
                      field("base", &Op::base), field("scores", &Op::scores),
                      field("ids", &Op::ids)};
  }
  void check() const {
    expect_columns(name, "corpus", corpus, queries.cols);
    expect_rows(name, "scores", scores, queries.rows);
    expect_same_shape(name, "ids", ids, scores);
    expect(base >= 0 && base <= kIds - corpus.rows, name,
           "expected ids from 0 to " + std::to_string(kIds - 1) + ", got a slice of " +
               std::to_string(corpus.rows) + " rows from " + std::to_string(base));
    expect_one_type(name, {{"queries", queries}, {"corpus", corpus}});
    expect_type(name, "scores", scores, Type::F32);
    expect_type(name, "ids", ids, Type::I32);
  }
};

}  // namespace inbatch
