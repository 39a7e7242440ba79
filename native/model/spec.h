// What a transformer is made of: plain structs, the mirror of src/model/spec.ts.
//
// Native code knows parts, never families: a family's configuration is expanded into this by
// TypeScript.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "../ops/op.h"

namespace inbatch {

struct NormSpec {
  NormKind kind = NormKind::Layer;
  float epsilon = 1e-12f;
  bool bias = true;

  static constexpr auto fields() {
    using S = NormSpec;
    return std::tuple{field("kind", &S::kind), field("epsilon", &S::epsilon),
                      field("bias", &S::bias)};
  }
};

// Where a layer in its residual path is normalised: y = after(x + inside(layer(before(x)))).
struct NormPlaces {
  std::optional<NormSpec> before, inside, after;

  static constexpr auto fields() {
    using S = NormPlaces;
    return std::tuple{field("before", &S::before), field("inside", &S::inside),
                      field("after", &S::after)};
  }
};

struct EmbeddingSpec {
  int64_t vocabulary = 0;
  int64_t positions = 0;        // rows of learned positions; 0: none
  int64_t position_offset = 0;  // the row of the first token
  int64_t types = 0;            // rows of token types; 0: none
  std::optional<NormSpec> norm;

  static constexpr auto fields() {
    using S = EmbeddingSpec;
    return std::tuple{field("vocabulary", &S::vocabulary), field("positions", &S::positions),
                      field("positionOffset", &S::position_offset), field("types", &S::types),
                      field("norm", &S::norm)};
  }
};

struct AttentionSpec {
  int64_t heads = 1;
  float scale = 1;
  bool bias = true;
  NormPlaces norms;

  static constexpr auto fields() {
    using S = AttentionSpec;
    return std::tuple{field("heads", &S::heads), field("scale", &S::scale), field("bias", &S::bias),
                      field("norms", &S::norms)};
  }
};

struct MlpSpec {
  int64_t width = 0;
  Activation activation = Activation::Gelu;
  bool bias = true;
  NormPlaces norms;

  static constexpr auto fields() {
    using S = MlpSpec;
    return std::tuple{field("width", &S::width), field("activation", &S::activation),
                      field("bias", &S::bias), field("norms", &S::norms)};
  }
};

struct BlockSpec {
  AttentionSpec attention;
  MlpSpec mlp;

  static constexpr auto fields() {
    using S = BlockSpec;
    return std::tuple{field("attention", &S::attention), field("mlp", &S::mlp)};
  }
};

struct DenseSpec {
  int64_t width = 0;  // of what comes out
  bool bias = true;
  Activation activation = Activation::None;

  static constexpr auto fields() {
    using S = DenseSpec;
    return std::tuple{field("width", &S::width), field("bias", &S::bias),
                      field("activation", &S::activation)};
  }
};

struct HeadSpec {
  std::optional<Pooling> pooling;  // none: the rows of all tokens are handed up
  std::vector<DenseSpec> dense;
  bool normalize = false;

  static constexpr auto fields() {
    using S = HeadSpec;
    return std::tuple{field("pooling", &S::pooling), field("dense", &S::dense),
                      field("normalize", &S::normalize)};
  }
};

struct ModelSpec {
  int64_t width = 0;
  EmbeddingSpec embedding;
  std::vector<BlockSpec> blocks;
  std::optional<NormSpec> final_norm;
  HeadSpec head;

  static constexpr auto fields() {
    using S = ModelSpec;
    return std::tuple{field("width", &S::width), field("embedding", &S::embedding),
                      field("blocks", &S::blocks), field("finalNorm", &S::final_norm),
                      field("head", &S::head)};
  }
};

}  // namespace inbatch
