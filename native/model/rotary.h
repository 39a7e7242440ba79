// Rotary positions (Su et al. 2021): the turns of every place, as tables of cosines and sines.
#pragma once

#include <cmath>
#include <memory>
#include <vector>

#include "../ops/rotary.h"
#include "parameters.h"
#include "pass.h"
#include "spec.h"

namespace inbatch {

// The angles are computed in double and rounded once. Grows with the longest text seen.
class RotaryTable {
 public:
  RotaryTable(const RotarySpec& spec, MemorySource& source) : spec_(spec), source_(source) {}
  const RotarySpec& spec() const { return spec_; }

  // Makes room for texts of `places` tokens; whether the table has moved. Not while a pass reads
  // it.
  bool reach(const Stream& stream, int64_t places) {
    if (places <= places_) return false;
    const int64_t pairs = int64_t(spec_.frequencies.size());
    int64_t room = 512;
    while (room < places) room *= 2;
    std::vector<float> angles(size_t(2 * room * pairs));
    float *cos = angles.data(), *sin = cos + room * pairs;
    for (int64_t place = 0; place < room; ++place) {
      for (int64_t pair = 0; pair < pairs; ++pair) {
        const double angle = double(place) * spec_.frequencies[size_t(pair)];
        cos[place * pairs + pair] = float(std::cos(angle));
        sin[place * pairs + pair] = float(std::sin(angle));
      }
    }
    auto memory = std::make_unique<Flat>(source_);
    memory->allocate(2 * room * pairs);
    cos_ = memory->view(0, room, pairs);
    sin_ = memory->view(room * pairs, room, pairs);
    stream.upload(cos_.data, angles.data(), angles.size() * sizeof(float));
    memory_ = std::move(memory);
    places_ = room;
    return true;
  }

  // Turns the first `heads` heads of x in place; turning back is also the backward of turning.
  void turn(const Pass& pass, int64_t heads, int64_t width, bool inverse, Tensor x) const {
    pass.run(Rotary{int32_t(heads), int32_t(width), inverse, spec_.magnitude, pass.batch.offsets,
                    cos_, sin_, x});
  }

 private:
  RotarySpec spec_;
  MemorySource& source_;
  std::unique_ptr<Flat> memory_;
  Tensor cos_, sin_;
  int64_t places_ = 0;
};

}  // namespace inbatch
