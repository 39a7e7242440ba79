// Starts the part of a file that is compiled for one instruction set. INBATCH_BEGIN_TARGET and
// INBATCH_END_TARGET bracket it, so no build file needs a flag per source. Standard headers come
// first: nothing of theirs may be compiled for more than the baseline.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "../kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define INBATCH_TEXT(x) #x
#if defined(__clang__)
#define INBATCH_TARGET(features) \
  _Pragma(                       \
      INBATCH_TEXT(clang attribute push(__attribute__((target(features))), apply_to = function)))
#define INBATCH_END_TARGET _Pragma("clang attribute pop")
#else
#define INBATCH_TARGET(features) \
  _Pragma("GCC push_options") _Pragma(INBATCH_TEXT(GCC target(features)))
#define INBATCH_END_TARGET _Pragma("GCC pop_options")
#endif
