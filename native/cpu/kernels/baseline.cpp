// The kernels for any processor (x86-64-v2 on x86).
#include "isa.h"

namespace inbatch::cpu {
namespace baseline {
#include "table.h"
}  // namespace baseline

const Kernels& baseline_kernels() {
  static const Kernels table = baseline::table_of("baseline");
  return table;
}

}  // namespace inbatch::cpu
