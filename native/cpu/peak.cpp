// The FMA peak. Contract: peak.h. Independent chains in registers; see kernels/rows.h, burn.
#include "peak.h"

#include <algorithm>
#include <chrono>

#include "kernels.h"

namespace inbatch::cpu {

double fma_peak(const Stream& stream) {
  constexpr int64_t kRounds = 200000;
  double best = 0;
  for (int sample = 0; sample < 8; ++sample) {
    const auto begin = std::chrono::steady_clock::now();
    double flops = 0;
    for (int worker = 0; worker < stream.threads(); ++worker) {
      flops += double(kRounds) * kernels().flops_of_round;
    }
    stream.parallel_for(stream.threads(), [&](int64_t, int) { kernels().burn(kRounds); });
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    best = std::max(best, flops / time.count() / 1e9);
  }
  return best;
}

}  // namespace inbatch::cpu
