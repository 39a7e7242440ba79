// Puts the kernels behind the door. It names all of them, so that a missing one is a link error.
#include "install.h"

#include <stdexcept>

#include "../ops/all.h"
#include "../ops/run.h"
#include "launch.cuh"

namespace inbatch::cuda {
namespace {

// The tensors of an op as messages name them: `x (130, 384) f32, y (130, 384) f32`.
template <class Op>
std::string operands_of(const Op& op) {
  std::string text;
  const auto tell = [&](const char* name, const auto& value) {
    if constexpr (std::is_same_v<decltype(value), const Tensor&>) {
      if (value.empty()) return;
      text += (text.empty() ? "" : ", ") + std::string(name) + " (" + std::to_string(value.rows) +
              ", " + std::to_string(value.cols) + ") " + name_of(value.type);
    }
  };
  std::apply([&](auto... field) { (tell(field.name, op.*(field.member)), ...); }, Op::fields());
  return text;
}

// A refused launch says whose it was.
template <class Op>
void run_named(const Stream& stream, const Op& op) {
  try {
    cuda::run<Op>(stream, op);
  } catch (const std::runtime_error& error) {
    throw Error("DEVICE_FAILED", std::string(Op::name) + ": expected " + stream.card->name() +
                                     " to take " + operands_of(op) + ", got: " + error.what());
  }
}

template <class... Op>
void install(OpList<Op...>) {
  ((kernel<Op> = &run_named<Op>), ...);
}

}  // namespace

void install_kernels() { install(AllOps{}); }

}  // namespace inbatch::cuda
