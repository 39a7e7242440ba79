// Marks functions that run on this processor and on a card alike.
#pragma once

#if defined(__CUDACC__)
#define INBATCH_HOST_DEVICE __host__ __device__
#else
#define INBATCH_HOST_DEVICE
#endif
