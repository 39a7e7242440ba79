// Moves weights along their gradient and puts them back to the bit, for adversarial training.
#pragma once

#include "parameters.h"

namespace inbatch {

// Which weights, of those that are trained, and how far: all matrices, or the table of tokens.
struct PerturbSettings {
  bool matrices = false;
  double rate = 0;    // length of the move; of matrices: times the norm of each
  double radius = 0;  // of the table: greatest length of all moves together; 0: any
  double bound = 0;   // of matrices: greatest move of an element, as a share of it; 0: any

  static constexpr auto fields() {
    using S = PerturbSettings;
    return std::tuple{field("matrices", &S::matrices), field("rate", &S::rate),
                      field("radius", &S::radius), field("bound", &S::bound)};
  }
};

class Perturbation {
 public:
  explicit Perturbation(MemorySource& memory = host_memory())
      : origins_(memory), gradients_(memory) {}

  // The table: w = w + rate g / |g|, then back within the radius of where it began. Each matrix:
  // w = w + rate |w| g / |g|, then no element further than bound |w| from where it began; matrices
  // that are stacked in a parameter count by themselves. A gradient of zeros, or one that is not
  // finite, moves nothing.
  void move(const Stream& stream, Parameters& parameters, const PerturbSettings& settings);
  // Puts every weight back.
  void undo(const Stream& stream, Parameters& parameters);
  // Remembers all gradients, and makes them what they were.
  void hold_gradients(const Stream& stream, Parameters& parameters);
  void return_gradients(const Stream& stream, Parameters& parameters);

 private:
  Tensor origin_of(const Parameter& p) const { return origins_.view(p.at, p.rows, p.cols); }

  std::vector<const Parameter*> moved_;  // since weights were where they belong
  Flat origins_, gradients_;
};

}  // namespace inbatch
