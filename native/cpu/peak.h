// The ceiling that figures are compared with.
#pragma once

#include "../base/parallel.h"

namespace inbatch::cpu {

// Multiply-adds per second of all threads together with the kernels in use, in GFLOP/s, measured
// over some 20 ms; the best of several samples.
double fma_peak(const Stream& stream);

}  // namespace inbatch::cpu
