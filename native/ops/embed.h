// Ids to rows.
#pragma once

#include "op.h"
#include "types.h"

namespace inbatch {

// x[t] = scale tokens[ids[t]] + positions[p] + types[0], p the place of t in its text plus
// position_offset. A token that is padding has no place: it is not counted and reads the row before
// the first.
//
//   padding    its id; -1: none
//   ids        (T) i32, each in [0, V)
//   offsets    (N + 1) i32, rising, from 0 to T
//   tokens     (V, C) f32
//   positions  (P, C) or empty; types (Y, C) or empty
//   x          (T, C) f32, on a card also bf16, overwritten
struct EmbedForward {
  int32_t position_offset = 0, padding = -1;
  float scale = 1;
  Tensor ids, offsets, tokens, positions, types, x;

  static constexpr auto name = "embedForward";
  static constexpr auto fields() {
    using Op = EmbedForward;
    return std::tuple{field("positionOffset", &Op::position_offset),
                      field("padding", &Op::padding),
                      field("scale", &Op::scale),
                      field("ids", &Op::ids),
                      field("offsets", &Op::offsets),
                      field("tokens", &Op::tokens),
                      field("positions", &Op::positions),
                      field("types", &Op::types),
                      field("x", &Op::x)};
  }
  void check() const {
    expect_shape(name, "x", x, ids.size(), tokens.cols);
    expect_one_type(name, {{"x", x}});
    expect_f32(name, {{"tokens", tokens}, {"positions", positions}, {"types", types}});
    expect_type(name, "ids", ids, Type::I32);
    expect_type(name, "offsets", offsets, Type::I32);
    expect(offsets.size() > 0, name, "expected offsets of at least 1 element, got 0");
    expect(padding < 0 || position_offset > 0, name,
           "expected a row before that of the first token");
    if (!positions.empty()) expect_columns(name, "positions", positions, x.cols);
    if (!types.empty()) expect_columns(name, "types", types, x.cols);
  }
};

// The gradient of EmbedForward: rows of dx are added where the rows came from, scale times to those
// of dtokens.
//
//   padding, scale, ids, offsets   as there; to padding only dtypes is added
//   dx             (T, C) f32, on a card also bf16
//   dtokens (V, C), dpositions (P, C), dtypes (Y, C): added to, or empty
//
// A row's sum is a chain over the tokens in order; that of dtypes on a card one over the texts, a
// text in pieces of some tokens. Either starts from its present value: texts given in several calls
// leave the same bits as texts given in one.
struct EmbedBackward {
  int32_t position_offset = 0, padding = -1;
  float scale = 1;
  Tensor ids, offsets, dx, dtokens, dpositions, dtypes;

  static constexpr auto name = "embedBackward";
  static constexpr auto fields() {
    using Op = EmbedBackward;
    return std::tuple{field("positionOffset", &Op::position_offset),
                      field("padding", &Op::padding),
                      field("scale", &Op::scale),
                      field("ids", &Op::ids),
                      field("offsets", &Op::offsets),
                      field("dx", &Op::dx),
                      field("dtokens", &Op::dtokens),
                      field("dpositions", &Op::dpositions),
                      field("dtypes", &Op::dtypes)};
  }
  void check() const {
    expect_rows(name, "dx", dx, ids.size());
    expect_one_type(name, {{"dx", dx}});
    expect_f32(name, {{"dtokens", dtokens}, {"dpositions", dpositions}, {"dtypes", dtypes}});
    expect(offsets.size() > 0, name, "expected offsets of at least 1 element, got 0");
    expect(padding < 0 || position_offset > 0, name,
           "expected a row before that of the first token");
    if (!dtokens.empty()) expect_columns(name, "dtokens", dtokens, dx.cols);
    if (!dpositions.empty()) expect_columns(name, "dpositions", dpositions, dx.cols);
    if (!dtypes.empty()) expect_columns(name, "dtypes", dtypes, dx.cols);
  }
};

}  // namespace inbatch
