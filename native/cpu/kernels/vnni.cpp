// The product of bytes for AVX-512 with VNNI; all else is the table of AVX-512.
#include "isa.h"

#if defined(__x86_64__)
#define INBATCH_AVX512 1
#define INBATCH_VNNI 1

INBATCH_TARGET("avx2,fma,f16c,avx512f,avx512dq,avx512bw,avx512vl,avx512vnni")
namespace inbatch::cpu {
namespace vnni {
#include "lanes.h"
#include "functions.h"
#include "quantized.h"
}  // namespace vnni

void vnni_byte_product(const ByteProduct& p) { vnni::byte_product(p); }

}  // namespace inbatch::cpu
INBATCH_END_TARGET
#endif
