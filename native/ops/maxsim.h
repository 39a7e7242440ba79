// Late interaction: scores of texts by the vectors of their tokens (Khattab and Zaharia 2020).
#pragma once

#include "contrast.h"

namespace inbatch {

// What both directions read. Texts are packed: their rows lie end to end.
//
//   queries          (T, E) f32
//   queryOffsets     (1, N + 1) i32, rising: the rows of each query
//   documents        (U, E) f32
//   documentOffsets  (1, M + 1) i32, rising
struct MaxSimOperands {
  Tensor queries, query_offsets, documents, document_offsets;

  int64_t query_count() const { return query_offsets.size() - 1; }
  int64_t document_count() const { return document_offsets.size() - 1; }

  static constexpr auto operands() {
    using Op = MaxSimOperands;
    return std::tuple{field("queries", &Op::queries), field("queryOffsets", &Op::query_offsets),
                      field("documents", &Op::documents),
                      field("documentOffsets", &Op::document_offsets)};
  }
  void check_operands(const char* name) const {
    expect_columns(name, "documents", documents, queries.cols);
    expect(query_offsets.size() > 0 && document_offsets.size() > 0, name,
           "expected offsets of at least one number");
    expect_f32(name, {{"queries", queries}, {"documents", documents}});
    expect_type(name, "queryOffsets", query_offsets, Type::I32);
    expect_type(name, "documentOffsets", document_offsets, Type::I32);
  }
};

// scores_ij = sum over the rows q of query i of the largest <q, d> over the rows d of document j.
//
//   owner   (1, M) i32: the query that a document belongs to; a number that is no query: no one's
//   positives, own, others, ownHard, otherHard   which documents a query meets (contrast.h)
//   scores  (N, M) f32, overwritten: minus infinity where query and document do not meet
//   argmax  (M, T) i32, overwritten, or empty: for each row q the row d, of equal ones the first;
//           -1 where there is none
//
// A product is one chain over E, a score one chain over the rows of its query. A product that is
// NaN is never the largest. A document without rows scores 0, as does a query without rows.
struct MaxSimForward : MaxSimOperands, Candidates {
  Tensor owner, scores, argmax;

  static constexpr auto name = "maxSimForward";
  static constexpr auto fields() {
    using Op = MaxSimForward;
    return std::tuple_cat(operands(), candidate_fields(),
                          std::tuple{field("owner", &Op::owner), field("scores", &Op::scores),
                                     field("argmax", &Op::argmax)});
  }
  void check() const {
    check_operands(name);
    check_candidates(name, document_count());
    expect_size(name, "owner", owner, document_count());
    expect_shape(name, "scores", scores, query_count(), document_count());
    if (!argmax.empty()) expect_shape(name, "argmax", argmax, document_count(), queries.rows);
    expect_type(name, "owner", owner, Type::I32);
    expect_f32(name, {{"scores", scores}});
    if (!argmax.empty()) expect_type(name, "argmax", argmax, Type::I32);
  }
};

// The gradient of sum_ij dscores_ij scores_ij, through the rows that were largest.
//
//   argmax      (M, T) i32, as forward left it
//   dscores     (N, M) f32; not read where query and document do not meet
//   dqueries    (T, E) f32, overwritten, or empty
//   ddocuments  (U, E) f32, overwritten, or empty
struct MaxSimBackward : MaxSimOperands {
  Tensor argmax, dscores, dqueries, ddocuments;

  static constexpr auto name = "maxSimBackward";
  static constexpr auto fields() {
    using Op = MaxSimBackward;
    return std::tuple_cat(
        operands(),
        std::tuple{field("argmax", &Op::argmax), field("dscores", &Op::dscores),
                   field("dqueries", &Op::dqueries), field("ddocuments", &Op::ddocuments)});
  }
  void check() const {
    check_operands(name);
    expect_shape(name, "argmax", argmax, document_count(), queries.rows);
    expect_shape(name, "dscores", dscores, query_count(), document_count());
    if (!dqueries.empty()) expect_same_shape(name, "dqueries", dqueries, queries);
    if (!ddocuments.empty()) expect_same_shape(name, "ddocuments", ddocuments, documents);
    expect_type(name, "argmax", argmax, Type::I32);
    expect_f32(name, {{"dscores", dscores}, {"dqueries", dqueries}, {"ddocuments", ddocuments}});
  }
};

}  // namespace inbatch
