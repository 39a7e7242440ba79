// A program that names every kernel, so that the linker refuses a build in which one is missing: an
// add-on may legally be linked with open symbols. It is built and never run.
#include "ops/all.h"
#include "ops/run.h"

namespace inbatch {

template <class... Op>
void name_all(OpList<Op...>) {
  // Volatile, or the compiler, which knows that no function is null, would name none of them.
  const void* volatile named[] = {reinterpret_cast<const void*>(&cpu::run<Op>)...};
  static_cast<void>(named);
}

}  // namespace inbatch

int main() { inbatch::name_all(inbatch::AllOps{}); }
