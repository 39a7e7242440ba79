// Contract: memory.h. One cell per grain of bytes holds the last write and the last two readers.
#include "memory.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>

extern "C" __attribute__((visibility("hidden"))) char __ehdr_start,
    _end;  // of this program or library

namespace emulator {
namespace {

enum Flag : uint16_t { written = 1, pending = 2, async = 4, atomic = 8 };

struct Mark {
  uint32_t block, count;
  Site site;
  uint16_t agent, flags;
};

struct Cell {
  Mark write, read[2];
};

struct Region {
  char* begin;
  size_t bytes;
  Cell* cells;  // zeroed pages; only what is touched takes memory
};

std::map<uintptr_t, Region> regions;
Region shared;
// Where the last accesses were: a kernel walks a few arrays in turn.
Region* recent[4];
unsigned oldest;
constexpr size_t grain = 1;  // 2 halves the memory, but takes neighbouring bytes for one
constexpr size_t largest_poisoned = 256 << 20;
bool checks = !getenv("EMULATOR_UNCHECKED");

void* map_pages(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return memory;
}

bool inside(const Region& region, const void* pointer, size_t bytes) {
  const size_t offset = static_cast<const char*>(pointer) - region.begin;
  return offset < region.bytes && region.bytes - offset >= bytes;
}

Region* find(const void* pointer, size_t bytes) {
  if (shared.begin && inside(shared, pointer, bytes)) return &shared;
  for (Region* region : recent) {
    if (region && inside(*region, pointer, bytes)) return region;
  }
  auto next = regions.upper_bound(reinterpret_cast<uintptr_t>(pointer));
  if (next == regions.begin()) return nullptr;
  Region& region = std::prev(next)->second;
  return inside(region, pointer, bytes) ? recent[oldest++ % 4] = &region : nullptr;
}

bool visible(const Mark& mark, const Clock& clock) {
  if (mark.block < block.first_of_launch) return true;  // an earlier launch, or none
  return mark.block == block.serial && clock[mark.agent] >= mark.count;
}

std::string describe_mark(const Mark& mark) {
  const std::string who = mark.block != block.serial ? "another block of this launch"
                          : mark.agent >= block.threads
                              ? "the copy engine"
                              : "thread " + std::to_string(mark.agent) + " (warp " +
                                    std::to_string(mark.agent / 32) + ")";
  return who + " at " + describe_site(mark.site);
}

[[noreturn]] void report(const char* what, const Region& region, const void* pointer,
                         const Mark& mark, Site site) {
  const std::string last = mark.flags ? "; last by " + describe_mark(mark) : "";
  fail("%s: byte %zu of %s, at %s%s", what,
       size_t(static_cast<const char*>(pointer) - region.begin),
       &region == &shared ? "shared memory" : "an allocation", describe_site(site), last.c_str());
}

template <class Visit>
void each_cell(const Region& region, const void* pointer, size_t bytes, Visit visit) {
  const size_t offset = static_cast<const char*>(pointer) - region.begin;
  for (size_t at = offset / grain; at <= (offset + bytes - 1) / grain; ++at)
    visit(region.cells[at]);
}

void check_write(const Region& region, Cell& cell, const Clock& clock, const void* pointer,
                 Site site, bool is_atomic) {
  if (cell.write.flags & pending)
    report("write into a copy in flight", region, pointer, cell.write, site);
  const bool both_atomic = is_atomic && cell.write.flags & atomic;
  if (!both_atomic && !visible(cell.write, clock))
    report("race, write after write", region, pointer, cell.write, site);
  for (const Mark& read : cell.read)
    if (!visible(read, clock)) report("race, write after read", region, pointer, read, site);
}

void check_read(const Region& region, Cell& cell, const Clock& clock, const void* pointer,
                Site site) {
  if (cell.write.flags & pending)
    report("read of a copy in flight", region, pointer, cell.write, site);
  if (!(cell.write.flags & written))
    report("read of unwritten bytes", region, pointer, cell.write, site);
  if (!visible(cell.write, clock))
    report("race, read after write", region, pointer, cell.write, site);
}

void note_read(Cell& cell, const Mark& mark) {
  if (cell.read[0].agent != mark.agent || cell.read[0].block != mark.block)
    cell.read[1] = cell.read[0];
  cell.read[0] = mark;
}

}  // namespace

void set_checks(bool on) { checks = on; }

void touch(Thread& thread, const void* pointer, size_t bytes, Access kind, Site site) {
  if (!checks) return;
  // Constants and threadIdx, which are read all the time.
  const auto at = reinterpret_cast<uintptr_t>(pointer);
  const bool image = at >= uintptr_t(&__ehdr_start) && at < uintptr_t(&_end);
  if (image && kind == Access::read) return;
  Region* region = find(pointer, bytes);
  if (!region) {
    const size_t parameter =
        static_cast<const char*>(pointer) - reinterpret_cast<const char*>(block.call);
    if (parameter < block.call->bytes && kind == Access::read) return;
    fail("%s of %zu bytes outside any allocation, at %s", kind == Access::read ? "read" : "write",
         bytes, describe_site(site));
  }
  if ((bytes == 4 || bytes == 8 || bytes == 16) && reinterpret_cast<uintptr_t>(pointer) % bytes)
    fail("misaligned access of %zu bytes at %s", bytes, describe_site(site));
  const Mark mark{block.serial, thread.clock[thread.id], site, uint16_t(thread.id), written};
  each_cell(*region, pointer, bytes, [&](Cell& cell) {
    if (kind == Access::read) {
      check_read(*region, cell, thread.clock, pointer, site);
      return note_read(cell, mark);
    }
    check_write(*region, cell, thread.clock, pointer, site, kind == Access::atomic);
    if (kind == Access::atomic && !(cell.write.flags & written))
      report("atomic on unwritten bytes", *region, pointer, cell.write, site);
    cell = {};
    cell.write = mark;
    if (kind == Access::atomic) cell.write.flags |= atomic;
  });
}

void begin_copy_into(Thread& thread, const void* pointer, size_t bytes, Site site) {
  if (!checks) return;
  Region* region = find(pointer, bytes);
  each_cell(*region, pointer, bytes, [&](Cell& cell) {
    check_write(*region, cell, thread.clock, pointer, site, false);
    cell.write = {block.serial, thread.clock[thread.id], site, uint16_t(thread.id), pending};
  });
}

void land_copy(int agent, uint32_t count, const void* pointer, size_t bytes, bool async_proxy,
               Site site) {
  if (!checks) return;
  const uint16_t flags = written | (async_proxy ? async : 0);
  each_cell(*find(pointer, bytes), pointer, bytes, [&](Cell& cell) {
    cell = {};
    cell.write = {block.serial, count, site, uint16_t(agent), flags};
  });
}

void async_read(Thread& thread, const Clock& issued, const void* pointer, size_t bytes, Site site) {
  if (!checks) return;
  Region* region = find(pointer, bytes);
  const Mark mark{block.serial, thread.clock[thread.id], site, uint16_t(thread.id), written};
  each_cell(*region, pointer, bytes, [&](Cell& cell) {
    check_read(*region, cell, issued, pointer, site);
    const Mark& write = cell.write;
    const bool ordinary =
        write.block == block.serial && !(write.flags & async) && write.agent < block.threads;
    if (ordinary && region == &shared && block.thread[write.agent].proxy_fence <= write.count)
      report("async read of an ordinary write without fence_async_proxy", *region, pointer, write,
             site);
    note_read(cell, mark);
  });
}

void* allocate_device(size_t bytes) {
  const size_t size = bytes ? bytes : 1;
  char* memory = static_cast<char*>(map_pages(size + 512));
  if (size <= largest_poisoned) memset(memory, 0xff, size);  // larger ones stay unmapped until used
  const size_t cells = (size / grain + 1) * sizeof(Cell);
  regions[reinterpret_cast<uintptr_t>(memory)] = {memory, size,
                                                  static_cast<Cell*>(map_pages(cells))};
  return memory;
}

void free_device(void* pointer) {
  if (!pointer) return;
  const auto found = regions.find(reinterpret_cast<uintptr_t>(pointer));
  if (found == regions.end()) fail("free of a pointer that is no allocation");
  const Region region = found->second;
  regions.erase(found);
  for (Region*& known : recent) known = nullptr;
  munmap(region.begin, region.bytes + 512);
  munmap(region.cells, (region.bytes / grain + 1) * sizeof(Cell));
}

void host_wrote(void* pointer, size_t bytes) {
  if (!bytes) return;
  expect_device("copy to the device", pointer, bytes);
  each_cell(*find(pointer, bytes), pointer, bytes, [](Cell& cell) {
    cell = {};
    cell.write.flags = written;
  });
}

void copy_device(void* to, const void* from, size_t bytes) {
  if (!bytes) return;
  expect_device("copy from the device", from, bytes);
  expect_device("copy to the device", to, bytes);
  const Region source = *find(from, bytes), target = *find(to, bytes);
  const size_t first = static_cast<const char*>(from) - source.begin;
  const size_t at = static_cast<char*>(to) - target.begin;
  for (size_t i = 0; i < bytes; ++i) {
    const uint16_t flags = source.cells[first + i].write.flags & written;
    target.cells[at + i] = {};
    target.cells[at + i].write.flags = flags;
  }
  memcpy(to, from, bytes);
}

void undefine(void* pointer, size_t bytes) {
  if (!bytes) return;
  expect_device("undefined memory", pointer, bytes);
  memset(pointer, 0xff, bytes);
  each_cell(*find(pointer, bytes), pointer, bytes, [](Cell& cell) { cell = {}; });
}

void expect_device(const char* who, const void* pointer, size_t bytes) {
  if (bytes && !find(pointer, bytes))
    fail("%s: %zu bytes at %p are not device memory", who, bytes, pointer);
}

// The window is aligned so that the low bits of an address are those of the card, on which swizzles
// depend.
void reset_shared() {
  static char* window = nullptr;
  if (!window) {
    char* memory = static_cast<char*>(map_pages(2 << 20));
    window = memory + ((1 << 20) - reinterpret_cast<uintptr_t>(memory) % (1 << 20));
    shared = {window + shared_window, 0,
              static_cast<Cell*>(map_pages((maximum_shared / grain + 1) * sizeof(Cell)))};
  }
  block.shared = shared.begin;
  shared.bytes = block.shared_bytes;
  memset(shared.begin, 0xff, shared.bytes);
  memset(shared.cells, 0, (shared.bytes / grain + 1) * sizeof(Cell));
}

bool in_shared(const void* pointer, size_t bytes) { return inside(shared, pointer, bytes); }

uint32_t shared_address(const void* pointer) {
  if (!in_shared(pointer, 1)) fail("shared_address: not a pointer into the block's shared memory");
  return static_cast<const char*>(pointer) - shared.begin + shared_window;
}

char* shared_pointer(uint32_t address) { return shared.begin - shared_window + address; }

}  // namespace emulator
