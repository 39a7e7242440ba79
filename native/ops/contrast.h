// Contrastive softmax over columns chosen by rule, and the lengths that make it a cosine.
//
// The scores of N rows against M columns are never stored as a whole: forward keeps three numbers
// per row, backward computes them again, part by part.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "../base/host_device.h"
#include "matrix.h"

namespace inbatch {

// Which columns a row meets: a positive, one of those below `positives`, by `own` where it belongs
// to the row and else by `others`; a hard negative, one from there on, by `ownHard` or `otherHard`.
struct Candidates {
  int64_t positives = 0;
  bool own = true, others = true, own_hard = true, other_hard = true;

  INBATCH_HOST_DEVICE bool admits(int64_t column, bool owned) const {
    if (column < positives) return owned ? own : others;
    return owned ? own_hard : other_hard;
  }
  static constexpr auto candidate_fields() {
    using Op = Candidates;
    return std::tuple{field("positives", &Op::positives), field("own", &Op::own),
                      field("others", &Op::others), field("ownHard", &Op::own_hard),
                      field("otherHard", &Op::other_hard)};
  }
  void check_candidates(const char* name, int64_t columns) const {
    expect(positives >= 0 && positives <= columns, name,
           "expected positives from 0 to " + std::to_string(columns) + ", got " +
               std::to_string(positives));
  }
};

// Rules that take candidates away from a row where they are likely to be positives; its own
// positives stay. A column that falls under several is removed by the first, in this order:
//
//   lists: for each r < R, where columnKeys_rj is one of the keys of row i
//     listOffsets  (R, N + 1) i32, rising within a row: those keys stand in listKeys from
//                  listOffsets_ri to listOffsets_r(i+1)
//     listKeys     (1, K) i32, from 0 to 2^24 - 1, or empty
//     columnKeys   (R, M) i32; a negative one is in no list
//   sets: where rowSet_i and columnSet_j differ
//     rowSet     (N, 1) i32, from 0 to 2^24 - 1
//     columnSet  (M, 1) i32
//   limit: where s_ij > limit_i, before clamping and hardness
//     limit  (N, 1) f32
//   guide: where the cosine of other vectors is too large, which is s_ij of them at temperature 1
//     guideRows         (N, G) f32
//     guideColumns      (M, G) f32
//     guideRowScale     (N, 1) f32 or empty
//     guideColumnScale  (M, 1) f32 or empty
//     guideLimit        (N, 1) f32
//
// What is empty removes nothing. A score or limit that is NaN removes nothing.
struct ContrastRules {
  Tensor list_offsets, list_keys, column_keys, row_set, column_set, limit;
  Tensor guide_rows, guide_columns, guide_row_scale, guide_column_scale, guide_limit;

  // Lists, then sets, limit and guide.
  int64_t rules() const { return list_offsets.rows + 3; }
  bool any() const {
    return list_offsets.rows > 0 || !row_set.empty() || !limit.empty() || !guide_limit.empty();
  }

  static constexpr auto rule_fields() {
    using Op = ContrastRules;
    return std::tuple{field("listOffsets", &Op::list_offsets),
                      field("listKeys", &Op::list_keys),
                      field("columnKeys", &Op::column_keys),
                      field("rowSet", &Op::row_set),
                      field("columnSet", &Op::column_set),
                      field("limit", &Op::limit),
                      field("guideRows", &Op::guide_rows),
                      field("guideColumns", &Op::guide_columns),
                      field("guideRowScale", &Op::guide_row_scale),
                      field("guideColumnScale", &Op::guide_column_scale),
                      field("guideLimit", &Op::guide_limit)};
  }
  void check_rules(const char* name, int64_t rows, int64_t columns) const {
    if (!list_offsets.empty()) {
      expect_columns(name, "listOffsets", list_offsets, rows + 1);
      expect_rows(name, "columnKeys", column_keys, list_offsets.rows);
      expect_columns(name, "columnKeys", column_keys, columns);
      expect_type(name, "listOffsets", list_offsets, Type::I32);
      expect_type(name, "columnKeys", column_keys, Type::I32);
      if (!list_keys.empty()) expect_type(name, "listKeys", list_keys, Type::I32);
    }
    if (!row_set.empty()) {
      expect_size(name, "rowSet", row_set, rows);
      expect_size(name, "columnSet", column_set, columns);
      expect_type(name, "rowSet", row_set, Type::I32);
      expect_type(name, "columnSet", column_set, Type::I32);
    }
    if (!limit.empty()) expect_size(name, "limit", limit, rows);
    expect_f32(name, {{"limit", limit}, {"guideLimit", guide_limit}});
    if (!guide_limit.empty()) check_guide(name, rows, columns);
  }
  void check_guide(const char* name, int64_t rows, int64_t columns) const {
    expect_size(name, "guideLimit", guide_limit, rows);
    expect_rows(name, "guideRows", guide_rows, rows);
    expect_rows(name, "guideColumns", guide_columns, columns);
    expect_columns(name, "guideColumns", guide_columns, guide_rows.cols);
    if (!guide_row_scale.empty()) expect_size(name, "guideRowScale", guide_row_scale, rows);
    if (!guide_column_scale.empty()) {
      expect_size(name, "guideColumnScale", guide_column_scale, columns);
    }
    expect_f32(name, {{"guideRows", guide_rows},
                      {"guideColumns", guide_columns},
                      {"guideRowScale", guide_row_scale},
                      {"guideColumnScale", guide_column_scale}});
  }
};

// What both directions read:
//
//   s_ij = <rows_i, columns_j> rowScale_i columnScale_j / temperature
//   c_ij = s_ij, or lowest / temperature or highest / temperature where it lies beyond
//   z_ij = c_ij + hardness temperature c_ij where column j is weighted for row i, else c_ij
//
//   rows         (N, E) f32
//   columns      (M, E) f32
//   rowScale     (N, W) f32 or empty; 1 / |rows_i| (RowNorms) makes cosines
//   columnScale  (M, W) f32 or empty; 1 / |columns_j|
//   temperature  (1, 1) f32, not zero
//   owner        (M, 1) i32, the row that a column belongs to; a number that is no row: no one's
//
// A candidate of a row is what it meets, owner_j = i being its own, less what a rule removes. A
// row's own hard
// negatives are weighted by `weighsOwn`, all that belongs to others by `weighsOthers`, its own
// positives never.
//
//   widths  (1, W) i32, or empty, which means E alone: each of the leading columns alone makes
//           scores and a softmax of its own; rising, multiples of 16 but the last, which is E. With
//           them neither limit nor guide.
//
// shortProducts: only on a card; what a product multiplies, G as well, is rounded to bf16, sums are
// f32 as ever. Scores of unit vectors are then some 2^-9 apart from those of f32.
struct ContrastOperands : ContrastRules, Candidates {
  Tensor rows, columns, row_scale, column_scale, temperature, owner, widths;
  float lowest = -std::numeric_limits<float>::infinity();
  float highest = std::numeric_limits<float>::infinity();
  float hardness = 0;
  bool weighs_own = false, weighs_others = false, short_products = false;

  int64_t width_count() const { return std::max<int64_t>(1, widths.size()); }
  // Whether a score is more than a product.
  bool bends() const { return hardness != 0 || std::isfinite(lowest) || std::isfinite(highest); }

  static constexpr auto operands() {
    using Op = ContrastOperands;
    const std::tuple scores{field("rows", &Op::rows),
                            field("columns", &Op::columns),
                            field("rowScale", &Op::row_scale),
                            field("columnScale", &Op::column_scale),
                            field("temperature", &Op::temperature),
                            field("owner", &Op::owner),
                            field("widths", &Op::widths),
                            field("lowest", &Op::lowest),
                            field("highest", &Op::highest),
                            field("hardness", &Op::hardness),
                            field("weighsOwn", &Op::weighs_own),
                            field("weighsOthers", &Op::weighs_others),
                            field("shortProducts", &Op::short_products)};
    return std::tuple_cat(scores, candidate_fields(), rule_fields());
  }
  void check_operands(const char* name) const {
    expect(!short_products || rows.place == Place::Cuda, name,
           "expected shortProducts on a card alone");
    expect_columns(name, "columns", columns, rows.cols);
    expect_size(name, "temperature", temperature, 1);
    expect_size(name, "owner", owner, columns.rows);
    if (!row_scale.empty()) expect_by_width(name, "rowScale", row_scale, rows.rows);
    if (!column_scale.empty()) expect_by_width(name, "columnScale", column_scale, columns.rows);
    if (!widths.empty()) expect_type(name, "widths", widths, Type::I32);
    expect(widths.empty() || (limit.empty() && guide_limit.empty()), name,
           "expected no limit and no guide with several widths");
    check_candidates(name, columns.rows);
    expect_f32(name, {{"rows", rows},
                      {"columns", columns},
                      {"rowScale", row_scale},
                      {"columnScale", column_scale},
                      {"temperature", temperature}});
    expect_type(name, "owner", owner, Type::I32);
    check_rules(name, rows.rows, columns.rows);
  }
  void expect_by_width(const char* name, const char* field, const Tensor& x, int64_t count) const {
    expect_size(name, field, x, count * width_count());
  }
  void expect_count(const char* name, const Tensor& count) const {
    expect_size(name, "count", count, rows.rows);
    if (count.type != Type::F32) expect_type(name, "count", count, Type::I32);
  }
};

// lse_i = log sum_j exp(z_ij), mean_i = mean_j z_ij, count_i = how many, over the candidates j of
// i.
//
//   lse       (N, W) f32, overwritten
//   mean      (N, W) f32, overwritten, or empty
//   count     (N, 1) i32 | f32, overwritten
//   removed   (1, R + 3) f32, overwritten, or empty: how many pairs each rule removed, of those
//             that would be candidates; beyond 2^24 rounded
//   suspects  (N, 2) f32, overwritten, or empty: of the columns that limit or guide removed from
//             a row the number of that with the largest s_ij, the first such, and s_ij; -1 and 0
//             where there is none
//
// The largest score is carried along, so no bound on scores is assumed. A row without candidates
// has lse -infinity, mean 0, count 0; one with a score that is NaN or +infinity has lse NaN.
struct ContrastForward : ContrastOperands {
  Tensor lse, mean, count, removed, suspects;

  static constexpr auto name = "contrastForward";
  static constexpr auto fields() {
    using Op = ContrastForward;
    return std::tuple_cat(
        operands(),
        std::tuple{field("lse", &Op::lse), field("mean", &Op::mean), field("count", &Op::count),
                   field("removed", &Op::removed), field("suspects", &Op::suspects)});
  }
  void check() const {
    check_operands(name);
    expect_by_width(name, "lse", lse, rows.rows);
    if (!mean.empty()) expect_by_width(name, "mean", mean, rows.rows);
    if (!removed.empty()) expect_size(name, "removed", removed, rules());
    if (!suspects.empty()) {
      expect_rows(name, "suspects", suspects, rows.rows);
      expect_columns(name, "suspects", suspects, 2);
    }
    expect_f32(name, {{"lse", lse}, {"mean", mean}, {"removed", removed}, {"suspects", suspects}});
    expect_count(name, count);
  }
};

// The gradient of sum_i dlse_i lse_i + dmean_i mean_i: with
//
//   G_ij = dlse_i exp(z_ij - lse_i) + dmean_i / count_i over candidates, else 0
//   H_ij = G_ij where c_ij = s_ij, else 0
//
//   drows_i      = rowScale_i / temperature sum_j H_ij columnScale_j columns_j
//                  - rows_i rowScale_i^2 sum_j H_ij s_ij    (this line only when there is rowScale)
//   dcolumns_j   = the same with rows and columns exchanged
//   dtemperature = - sum_ij G_ij c_ij / temperature
//
// What hardness adds and what rules remove counts as constant. Of several widths the gradients add
// up.
//
//   lse           (N, W) f32, as forward left it
//   count         (N, 1) i32 | f32, as forward left it
//   dlse          (N, W) f32
//   dmean         (N, W) f32 or empty
//   drows         (N, E) f32, overwritten, or empty
//   dcolumns      (M, E) f32, overwritten, or empty
//   dtemperature  (1, 1) f32, overwritten, or empty
//
// With a scale the gradient is that of the raw vectors, which the scale was made of. exp(x) below
// x = -87 is 0. Where lse is not finite and there are candidates the gradient is NaN.
struct ContrastBackward : ContrastOperands {
  Tensor lse, count, dlse, dmean, drows, dcolumns, dtemperature;

  static constexpr auto name = "contrastBackward";
  static constexpr auto fields() {
    using Op = ContrastBackward;
    return std::tuple_cat(
        operands(),
        std::tuple{field("lse", &Op::lse), field("count", &Op::count), field("dlse", &Op::dlse),
                   field("dmean", &Op::dmean), field("drows", &Op::drows),
                   field("dcolumns", &Op::dcolumns), field("dtemperature", &Op::dtemperature)});
  }
  void check() const {
    check_operands(name);
    expect_by_width(name, "lse", lse, rows.rows);
    expect_by_width(name, "dlse", dlse, rows.rows);
    if (!dmean.empty()) expect_by_width(name, "dmean", dmean, rows.rows);
    if (!drows.empty()) expect_same_shape(name, "drows", drows, rows);
    if (!dcolumns.empty()) expect_same_shape(name, "dcolumns", dcolumns, columns);
    if (!dtemperature.empty()) expect_size(name, "dtemperature", dtemperature, 1);
    expect_f32(name, {{"lse", lse},
                      {"dlse", dlse},
                      {"dmean", dmean},
                      {"drows", drows},
                      {"dcolumns", dcolumns},
                      {"dtemperature", dtemperature}});
    expect_count(name, count);
  }
};

// inverse = 1 / max(|x|, 1e-12) by rows, of all columns or of so many leading ones.
//
//   x        (N, C) f32
//   widths   (1, W) i32, rising, at most C; or empty, which means C alone
//   inverse  (N, W) f32, overwritten
struct RowNorms {
  Tensor x, widths, inverse;

  static constexpr auto name = "rowNorms";
  static constexpr auto fields() {
    using Op = RowNorms;
    return std::tuple{field("x", &Op::x), field("widths", &Op::widths),
                      field("inverse", &Op::inverse)};
  }
  void check() const {
    expect_size(name, "inverse", inverse, x.rows * std::max<int64_t>(1, widths.size()));
    if (!widths.empty()) expect_type(name, "widths", widths, Type::I32);
    expect_f32(name, {{"x", x}, {"inverse", inverse}});
  }
};

}  // namespace inbatch
