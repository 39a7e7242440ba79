// The only header a kernel includes beside its contract: the same names on a card and on the
// emulator of test/emulator, and the only place that knows which of the two is compiled.
#pragma once

#ifdef __CUDACC__
#include "ptx.cuh"
#else
#include <emulator/device.h>
#endif
