// A program that names every kernel, so that the linker refuses a build in which one is missing: an
// add-on may legally be linked with open symbols. It is built and never run.
#include "ops/all.h"
#include "ops/run.h"

namespace inbatch {

template <class... Op>
const void* name_all(OpList<Op...>) {
  const void* last = nullptr;
  ((last = reinterpret_cast<const void*>(&cpu::run<Op>)), ...);
  return last;
}

}  // namespace inbatch

int main() { return inbatch::name_all(inbatch::AllOps{}) == nullptr; }
