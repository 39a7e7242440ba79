// What the emulated device may touch, and the shadow of it that knows who touched it last.
//
// The kernel's file is compiled with the compiler's thread-sanitizer instrumentation, but linked
// with the hooks of memory.cpp instead of that sanitizer's library: every load and store of a
// kernel arrives here. So no wrapper type is needed to find races, reads of unwritten bytes,
// misaligned vectors and addresses that are neither device memory, nor the block's shared memory,
// nor the thread's own stack.
#pragma once
#include <cstddef>
#include <cstdint>

#include "block.h"

namespace emulator {

constexpr size_t maximum_shared = 227 << 10;
constexpr uint32_t shared_window = 1024;  // where dynamic shared memory begins, as on the card

enum class Access { read, write, atomic };

// A place in the program, for messages: a return address or a line of an intrinsic's caller.
using Site = uint32_t;
Site site_of(const Where& where);
Site site_of(const void* return_address);
const char* describe_site(Site site);

void* allocate_device(size_t bytes);  // filled with 0xff, which is NaN, up to 256 MB
void free_device(void* pointer);
void undefine(void* pointer, size_t bytes);  // as allocated anew
void host_wrote(void* pointer, size_t bytes);
void copy_device(void* to, const void* from, size_t bytes);  // what nobody has written stays so
void expect_device(const char* who, const void* pointer, size_t bytes);

void reset_shared();
bool in_shared(const void* pointer, size_t bytes);
uint32_t shared_address(const void* pointer);
char* shared_pointer(uint32_t address);

// An access of the given thread through the ordinary proxy.
void touch(Thread& thread, const void* pointer, size_t bytes, Access kind, Site site);

// An asynchronous copy: between its issue and its landing the bytes belong to nobody.
void begin_copy_into(Thread& thread, const void* pointer, size_t bytes, Site site);
void land_copy(int agent, uint32_t count, const void* pointer, size_t bytes, bool async_proxy,
               Site site);

// A read by the tensor cores or the copy engine: the writers must be visible in `issued`, and have
// fenced.
void async_read(Thread& thread, const Clock& issued, const void* pointer, size_t bytes, Site site);

void set_checks(bool on);  // off: only values are emulated

}  // namespace emulator
