// How an op describes itself: a plain struct with named fields, listed once in fields().
//
// From that list follow its binding, its error messages and its trace line. Conventions, said here
// and nowhere else: outputs are overwritten, gradients of parameters are added to; sums are f32;
// an op never allocates (scratch comes from its worker) and never synchronises with a reader.
#pragma once

#include <tuple>

#include "../base/error.h"
#include "../base/parallel.h"
#include "../base/random.h"
#include "../base/tensor.h"

namespace inbatch {

template <class Op, class Value>
struct Field {
  const char* name;
  Value Op::*member;
};

template <class Op, class Value>
constexpr Field<Op, Value> field(const char* name, Value Op::*member) {
  return {name, member};
}

enum class Activation : uint8_t { None, Gelu, Tanh, Relu, GeluTanh, Silu, Sigmoid };
// Which half of a row goes through the activation; the other half multiplies it.
enum class Gate : uint8_t { None, First, Second };
enum class NormKind : uint8_t { Layer, Rms };
enum class Pooling : uint8_t { Cls, Max, Mean, MeanSqrtLen, WeightedMean, Last, Gem };

// The words by which JavaScript names the values of an enumeration, in their order.
template <class E>
struct Words;
template <>
struct Words<Activation> {
  static constexpr const char* list[] = {"none",     "gelu", "tanh",   "relu",
                                         "geluTanh", "silu", "sigmoid"};
};
template <>
struct Words<Gate> {
  static constexpr const char* list[] = {"none", "first", "second"};
};
template <>
struct Words<NormKind> {
  static constexpr const char* list[] = {"layer", "rms"};
};
template <>
struct Words<Pooling> {
  static constexpr const char* list[] = {"cls",          "max",  "mean", "mean_sqrt_len",
                                         "weightedmean", "last", "gem"};
};

}  // namespace inbatch
