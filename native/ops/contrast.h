// Contrastive softmax over columns chosen by rule, and the lengths that make it a cosine.
//
// The scores of N rows against M columns are never stored: forward keeps three numbers per row,
// backward computes them again.
#pragma once

#include "matrix.h"

namespace inbatch {

// What both directions read:
//
//   s_ij = <rows_i, columns_j> rowScale_i columnScale_j / temperature
//
//   rows         (N, E) f32
//   columns      (M, E) f32
//   rowScale     (N, 1) f32 or empty; 1 / |rows_i| (RowNorms) makes cosines
//   columnScale  (M, 1) f32 or empty; 1 / |columns_j|
//   temperature  (1, 1) f32, not zero
//   owner        (M, 1) i32, the row that a column belongs to; a number that is no row: no one's
//   positives    columns below are positives, from here on hard negatives
//
// Column j < positives is a candidate of row i by `own` when owner_j = i, else by `others`; a
// column from there on by `ownHard` or `otherHard`.
struct ContrastOperands {
  Tensor rows, columns, row_scale, column_scale, temperature, owner;
  int64_t positives = 0;
  bool own = true, others = true, own_hard = true, other_hard = true;

  static constexpr auto operands() {
    using Op = ContrastOperands;
    return std::tuple{field("rows", &Op::rows),
                      field("columns", &Op::columns),
                      field("rowScale", &Op::row_scale),
                      field("columnScale", &Op::column_scale),
                      field("temperature", &Op::temperature),
                      field("owner", &Op::owner),
                      field("positives", &Op::positives),
                      field("own", &Op::own),
                      field("others", &Op::others),
                      field("ownHard", &Op::own_hard),
                      field("otherHard", &Op::other_hard)};
  }
  void check_operands(const char* name) const {
    expect_columns(name, "columns", columns, rows.cols);
    expect_size(name, "temperature", temperature, 1);
    expect_size(name, "owner", owner, columns.rows);
    if (!row_scale.empty()) expect_size(name, "rowScale", row_scale, rows.rows);
    if (!column_scale.empty()) expect_size(name, "columnScale", column_scale, columns.rows);
    expect(positives >= 0 && positives <= columns.rows, name,
           "expected positives from 0 to " + std::to_string(columns.rows) + ", got " +
               std::to_string(positives));
    expect_f32(name, {{"rows", rows},
                      {"columns", columns},
                      {"rowScale", row_scale},
                      {"columnScale", column_scale},
                      {"temperature", temperature}});
    expect_type(name, "owner", owner, Type::I32);
  }
  void expect_count(const char* name, const Tensor& count) const {
    expect_size(name, "count", count, rows.rows);
    if (count.type != Type::F32) expect_type(name, "count", count, Type::I32);
  }
};

// lse_i = log sum_j exp(s_ij), mean_i = mean_j s_ij, count_i = how many, over the candidates j of
// i.
//
//   lse    (N, 1) f32, overwritten
//   mean   (N, 1) f32, overwritten, or empty
//   count  (N, 1) i32 | f32, overwritten
//
// The largest score is carried along, so no bound on scores is assumed. A row without candidates
// has lse -infinity, mean 0, count 0; one with a score that is NaN or +infinity has lse NaN.
struct ContrastForward : ContrastOperands {
  Tensor lse, mean, count;

  static constexpr auto name = "contrastForward";
  static constexpr auto fields() {
    using Op = ContrastForward;
    return std::tuple_cat(operands(), std::tuple{field("lse", &Op::lse), field("mean", &Op::mean),
                                                 field("count", &Op::count)});
  }
  void check() const {
    check_operands(name);
    expect_size(name, "lse", lse, rows.rows);
    if (!mean.empty()) expect_size(name, "mean", mean, rows.rows);
    expect_f32(name, {{"lse", lse}, {"mean", mean}});
    expect_count(name, count);
  }
};

// The gradient of sum_i dlse_i lse_i + dmean_i mean_i: with
//
//   G_ij = dlse_i exp(s_ij - lse_i) + dmean_i / count_i over candidates, else 0
//
//   drows_i      = rowScale_i / temperature sum_j G_ij columnScale_j columns_j
//                  - rows_i rowScale_i^2 sum_j G_ij s_ij    (this line only when there is rowScale)
//   dcolumns_j   = the same with rows and columns exchanged
//   dtemperature = - sum_ij G_ij s_ij / temperature
//
//   lse           (N, 1) f32, as forward left it
//   count         (N, 1) i32 | f32, as forward left it
//   dlse          (N, 1) f32
//   dmean         (N, 1) f32 or empty
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
    expect_size(name, "lse", lse, rows.rows);
    expect_size(name, "dlse", dlse, rows.rows);
    if (!dmean.empty()) expect_size(name, "dmean", dmean, rows.rows);
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

// inverse = 1 / max(|x|, 1e-12) by rows.
//
//   x        (N, C) f32
//   inverse  (N, 1) f32, overwritten
struct RowNorms {
  Tensor x, inverse;

  static constexpr auto name = "rowNorms";
  static constexpr auto fields() {
    using Op = RowNorms;
    return std::tuple{field("x", &Op::x), field("inverse", &Op::inverse)};
  }
  void check() const {
    expect_size(name, "inverse", inverse, x.rows);
    expect_f32(name, {{"x", x}, {"inverse", inverse}});
  }
};

}  // namespace inbatch
