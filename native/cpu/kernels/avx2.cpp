// The kernels for AVX2 and FMA.
#include "isa.h"

#if defined(__x86_64__)
#define INBATCH_AVX2 1

INBATCH_TARGET("avx2,fma,f16c")
namespace inbatch::cpu {
namespace avx2 {
#include "table.h"
}  // namespace avx2

const Kernels& avx2_kernels() {
  static const Kernels table = avx2::table_of("avx2");
  return table;
}

}  // namespace inbatch::cpu
INBATCH_END_TARGET
#endif
