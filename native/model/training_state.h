// What is held of a parameter beside its weights and gradient while it is trained.
#pragma once

#include <string>
#include <vector>

#include "../ops/op.h"

namespace inbatch {

enum class Optimizer { AdamW, Adam, AdamW8, Lion, Adafactor };
template <>
struct Words<Optimizer> {
  static constexpr const char* list[] = {"adamw", "adam", "adamw8", "lion", "adafactor"};
};

// Each part that is asked for is a matrix, the others are empty.
struct TrainingState {
  Tensor first, second;                // moments
  Tensor first_scale, second_scale;    // of moments in 8 bits
  Tensor row_squares, column_squares;  // moments of Adafactor
  Tensor average;                      // of the weights over the steps

  static constexpr auto fields() {
    using S = TrainingState;
    return std::tuple{field("first", &S::first),
                      field("second", &S::second),
                      field("firstScale", &S::first_scale),
                      field("secondScale", &S::second_scale),
                      field("rowSquares", &S::row_squares),
                      field("columnSquares", &S::column_squares),
                      field("average", &S::average)};
  }
};

// A parameter that holds several matrices, end to end, and the elements of each.
struct Stacked {
  std::string name;
  std::vector<int64_t> parts;

  static constexpr auto fields() {
    return std::tuple{field("name", &Stacked::name), field("parts", &Stacked::parts)};
  }
};

struct TrainingSettings {
  Optimizer optimizer = Optimizer::AdamW;
  bool average = false;  // whether a mean of the weights is kept
  // Adafactor, and norms that are of one matrix, look at the parts of these.
  std::vector<Stacked> stacked;

  static constexpr auto fields() {
    using S = TrainingSettings;
    return std::tuple{field("optimizer", &S::optimizer), field("average", &S::average),
                      field("stacked", &S::stacked)};
  }
};

// Bytes of a model in training: its weights with their packed copies, gradients, and what is kept
// for the optimizer; and what its weights take before.
struct TrainingMemory {
  int64_t weights = 0, gradients = 0, state = 0, held = 0;
};

}  // namespace inbatch
