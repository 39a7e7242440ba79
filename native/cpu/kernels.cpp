// Which kernels this processor can run. Contract: kernels.h.
#include "kernels.h"

#include <atomic>
#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace inbatch::cpu {
namespace {

#if defined(__x86_64__)
struct Leaf {
  unsigned a = 0, b = 0, c = 0, d = 0;
  Leaf(unsigned leaf, unsigned sub) { __get_cpuid_count(leaf, sub, &a, &b, &c, &d); }
};

// Which register files the operating system saves; zero when it does not say.
uint64_t saved_state() {
  if (!(Leaf(1, 0).c & bit_OSXSAVE)) return 0;
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t(high) << 32) | low;
}

bool runs_avx2() {
  constexpr uint64_t kYmm = 0x6;
  const Leaf one(1, 0), seven(7, 0);
  return (saved_state() & kYmm) == kYmm && (one.c & bit_FMA) && (one.c & bit_F16C) &&
         (seven.b & bit_AVX2);
}

bool runs_avx512() {
  constexpr uint64_t kZmm = 0xe6;
  const Leaf seven(7, 0);
  return runs_avx2() && (saved_state() & kZmm) == kZmm && (seven.b & bit_AVX512F) &&
         (seven.b & bit_AVX512DQ) && (seven.b & bit_AVX512BW) && (seven.b & bit_AVX512VL);
}

// Of all that AVX-512 processors may have beside what runs_avx512 asks for, the best.
const Kernels& newest_avx512() {
  static const Kernels table = [] {
    Kernels best = avx512_kernels();
    if (Leaf(7, 0).c & bit_AVX512VNNI) best.byte_product = vnni_byte_product;
    return best;
  }();
  return table;
}
#endif

std::atomic<const Kernels*> chosen{nullptr};

const Kernels* best() {
  if (const char* wish = std::getenv("INBATCH_KERNELS"); wish && *wish) {
    if (const Kernels* found = find_kernels(wish)) return found;
    throw Error("DEVICE_UNAVAILABLE",
                std::string("INBATCH_KERNELS: expected baseline, avx2 or avx512 as this CPU runs "
                            "them, got ") +
                    wish);
  }
  for (const char* name : {"avx512", "avx2"}) {
    if (const Kernels* found = find_kernels(name)) return found;
  }
  return &baseline_kernels();
}

}  // namespace

const Kernels* find_kernels(const char* name) {
  if (!std::strcmp(name, "baseline")) return &baseline_kernels();
#if defined(__x86_64__)
  if (!std::strcmp(name, "avx2") && runs_avx2()) return &avx2_kernels();
  if (!std::strcmp(name, "avx512") && runs_avx512()) return &newest_avx512();
  if (!std::strcmp(name, "avx512-plain") && runs_avx512()) return &avx512_kernels();
#endif
  return nullptr;
}

const Kernels& kernels() {
  const Kernels* table = chosen.load(std::memory_order_acquire);
  if (!table) {
    table = best();
    chosen.store(table, std::memory_order_release);
  }
  return *table;
}

bool use_kernels(const char* name) {
  const Kernels* found = find_kernels(name);
  if (found) chosen.store(found, std::memory_order_release);
  return found != nullptr;
}

}  // namespace inbatch::cpu
