// The kernels for AVX-512 (F, DQ, BW, VL).
#include "isa.h"

#if defined(__x86_64__)
#define INBATCH_AVX512 1

INBATCH_TARGET("avx2,fma,f16c,avx512f,avx512dq,avx512bw,avx512vl")
namespace inbatch::cpu {
namespace avx512 {
#include "table.h"
}  // namespace avx512

const Kernels& avx512_kernels() {
  static const Kernels table = avx512::table_of("avx512");
  return table;
}

}  // namespace inbatch::cpu
INBATCH_END_TARGET
#endif
