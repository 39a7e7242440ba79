// Puts the kernels of this back end behind the door of ops/run.h.
#pragma once

namespace inbatch::cuda {

void install_kernels();

}  // namespace inbatch::cuda
