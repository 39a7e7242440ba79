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
  float offset = 0;  // is added to the weight (1 where files store the weight less one)
  bool bias = true;

  static constexpr auto fields() {
    using S = NormSpec;
    return std::tuple{field("kind", &S::kind), field("epsilon", &S::epsilon),
                      field("offset", &S::offset), field("bias", &S::bias)};
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
  int64_t width = 0;            // of the tables; one that is not the model's is projected to it
  float scale = 1;              // of the tokens' rows
  int64_t positions = 0;        // rows of learned positions; 0: none
  int64_t position_offset = 0;  // the row of the first token
  int64_t padding = -1;         // the id of tokens without a place, before the first row; -1: none
  int64_t types = 0;            // rows of token types; 0: none
  std::optional<NormSpec> norm;

  static constexpr auto fields() {
    using S = EmbeddingSpec;
    return std::tuple{field("vocabulary", &S::vocabulary),
                      field("width", &S::width),
                      field("scale", &S::scale),
                      field("positions", &S::positions),
                      field("positionOffset", &S::position_offset),
                      field("padding", &S::padding),
                      field("types", &S::types),
                      field("norm", &S::norm)};
  }
};

// Turns pairs of a head's columns by an angle that grows with the place in the text.
struct RotarySpec {
  std::vector<double> frequencies;  // radians per place, one a pair; pair j is (j, j + pairs)
  float magnitude = 1;              // of what was turned (scalings that stretch it)

  static constexpr auto fields() {
    using S = RotarySpec;
    return std::tuple{field("frequencies", &S::frequencies), field("magnitude", &S::magnitude)};
  }
};

struct AttentionSpec {
  int64_t heads = 1;
  int64_t key_heads = 1;  // divide heads; each serves heads / key_heads neighbours
  int64_t head_width = 1;
  float scale = 1;
  bool bias = true;  // of queries, keys and values
  bool output_bias = true;
  bool causal = false;  // sees nothing after itself
  int64_t window = 0;   // sees what is at most this far away; 0: all
  bool alibi = false;   // scores fall with the distance (Press et al. 2022)
  std::optional<RotarySpec> rotary;
  std::optional<NormSpec> head_norm;  // of each head of the queries and the keys, before turning
  NormPlaces norms;

  static constexpr auto fields() {
    using S = AttentionSpec;
    return std::tuple{field("heads", &S::heads),
                      field("keyHeads", &S::key_heads),
                      field("headWidth", &S::head_width),
                      field("scale", &S::scale),
                      field("bias", &S::bias),
                      field("outputBias", &S::output_bias),
                      field("causal", &S::causal),
                      field("window", &S::window),
                      field("alibi", &S::alibi),
                      field("rotary", &S::rotary),
                      field("headNorm", &S::head_norm),
                      field("norms", &S::norms)};
  }
};

struct MlpSpec {
  int64_t width = 0;
  Activation activation = Activation::Gelu;
  Gate gate = Gate::None;
  bool bias = true;  // of what goes up
  bool output_bias = true;
  NormPlaces norms;

  static constexpr auto fields() {
    using S = MlpSpec;
    return std::tuple{
        field("width", &S::width), field("activation", &S::activation),  field("gate", &S::gate),
        field("bias", &S::bias),   field("outputBias", &S::output_bias), field("norms", &S::norms)};
  }
};

struct BlockSpec {
  int64_t weights = 0;  // number of its set of weights; blocks of one number share them
  AttentionSpec attention;
  MlpSpec mlp;

  static constexpr auto fields() {
    using S = BlockSpec;
    return std::tuple{field("weights", &S::weights), field("attention", &S::attention),
                      field("mlp", &S::mlp)};
  }
};

// One bias a head and bucket of distance, added to the scores of every block (Raffel et al. 2020).
struct RelativeBiasSpec {
  int64_t buckets = 32;
  int64_t furthest = 128;

  static constexpr auto fields() {
    using S = RelativeBiasSpec;
    return std::tuple{field("buckets", &S::buckets), field("furthest", &S::furthest)};
  }
};

// y = norm(activation(x W^T + b)); a width of 0: the norm alone.
struct DenseSpec {
  int64_t width = 0;  // of what comes out
  bool bias = true;
  Activation activation = Activation::None;
  std::optional<NormSpec> norm;

  static constexpr auto fields() {
    using S = DenseSpec;
    return std::tuple{field("width", &S::width), field("bias", &S::bias),
                      field("activation", &S::activation), field("norm", &S::norm)};
  }
};

struct HeadSpec {
  std::vector<Pooling> pooling;  // side by side; none: the rows of all tokens are handed up
  std::vector<DenseSpec> dense;
  bool normalize = false;

  static constexpr auto fields() {
    using S = HeadSpec;
    return std::tuple{field("pooling", &S::pooling), field("dense", &S::dense),
                      field("normalize", &S::normalize)};
  }
};

// The rows of tokens are the weighted mean of what the embedding and the blocks put out, from the
// output `start` on; the last is that of the final norm, where there is one.
struct LayerMeanSpec {
  int64_t start = 0;

  static constexpr auto fields() {
    using S = LayerMeanSpec;
    return std::tuple{field("start", &S::start)};
  }
};

struct ModelSpec {
  int64_t width = 0;
  EmbeddingSpec embedding;
  std::vector<BlockSpec> blocks;
  std::optional<RelativeBiasSpec> relative_bias;
  std::optional<NormSpec> final_norm;
  std::optional<LayerMeanSpec> layer_mean;
  HeadSpec head;

  static constexpr auto fields() {
    using S = ModelSpec;
    return std::tuple{field("width", &S::width),
                      field("embedding", &S::embedding),
                      field("blocks", &S::blocks),
                      field("relativeBias", &S::relative_bias),
                      field("finalNorm", &S::final_norm),
                      field("layerMean", &S::layer_mean),
                      field("head", &S::head)};
  }
};

}  // namespace inbatch
