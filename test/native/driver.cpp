// The program that sanitizers watch (scripts/sanitize.mjs): every op and a tiny model, on pools of
// several sizes, two models on pools of their own at once, and tokenizers. INBATCH_KERNELS names
// the kernels; exit code 77 means that this CPU cannot run them.

#include <cstdio>

#include "../../native/cpu/kernels.h"
#include "model_walk.h"
#include "text_walk.h"

namespace inbatch::driver {
namespace {

int drive() {
  std::printf("kernels %s\n", cpu::kernels().name);
  const Pools pools = pools_of({1, 3});
  std::printf("%d runs of ops\n", walk_ops(AllOps{}, pools));
  walk_models(pools);
  std::thread other([] { walk_models(pools_of({2})); });
  walk_models(pools_of({2}));
  other.join();
  std::printf("%d texts\n", walk_texts());
  std::puts("done");
  return 0;
}

}  // namespace
}  // namespace inbatch::driver

int main() {
  try {
    return inbatch::driver::drive();
  } catch (const inbatch::Error& error) {
    std::fprintf(stderr, "%s %s\n", error.code().c_str(), error.what());
    return error.code() == "DEVICE_UNAVAILABLE" ? 77 : 1;
  }
}
