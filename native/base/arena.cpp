// Memory as a stack. See arena.h.
#include "arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <string>

#include "error.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace inbatch {
namespace {

constexpr size_t kAlign = 64;
constexpr size_t kPage = 4096;
constexpr size_t kHugePage = size_t(2) << 20;
constexpr size_t kSmallestBlock = size_t(1) << 20;
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kGap = kAlign;  // after what is pushed, so that a step beyond it is seen
#else
constexpr size_t kGap = 0;
#endif

size_t rounded(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

struct HostMemory final : MemorySource {
  Place place() const override { return Place::Cpu; }
  void* take(size_t bytes) override { return take_pages(bytes); }
  void give(void* data, size_t bytes) override {
    open(data, bytes);
    give_pages(data, bytes);
  }
#if defined(__SANITIZE_ADDRESS__)
  void open(void* data, size_t bytes) override { __asan_unpoison_memory_region(data, bytes); }
  void close(void* data, size_t bytes) override { __asan_poison_memory_region(data, bytes); }
#endif
};

}  // namespace

MemorySource& host_memory() {
  static auto* memory = new HostMemory;  // never destroyed: arenas may outlive main
  return *memory;
}

void* take_pages(size_t bytes) {
  bytes = rounded(std::max<size_t>(bytes, 1), kPage);
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) {
    throw Error("OUT_OF_MEMORY",
                "memory: expected " + std::to_string(bytes >> 20) + " MiB more to be available");
  }
#if defined(MADV_HUGEPAGE)
  if (bytes >= 2 * kHugePage) madvise(data, bytes, MADV_HUGEPAGE);
#endif
  return data;
}

void give_pages(void* data, size_t bytes) {
  if (data) munmap(data, rounded(std::max<size_t>(bytes, 1), kPage));
}

void drop_pages(void* data, size_t bytes) {
  const size_t from = reinterpret_cast<size_t>(data), begin = rounded(from, kPage);
  const size_t end = (from + bytes) / kPage * kPage;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

Arena::~Arena() { free_blocks(); }

void Arena::free_blocks() {
  for (const Block& block : blocks_) source_.give(block.data, block.bytes);
  blocks_.clear();
  capacity_ = 0;
}

void Arena::add_block(size_t bytes) {
  const size_t size = rounded(std::max(bytes, kSmallestBlock), kPage);
  blocks_.push_back({static_cast<char*>(source_.take(size)), size, 0});
  source_.close(blocks_.back().data, size);
  capacity_ += size;
  ++allocations_;
}

void* Arena::push(size_t wanted) {
  const size_t bytes = rounded(std::max<size_t>(wanted, 1), kAlign) + kGap;
  while (block_ < blocks_.size() && used_ + bytes > blocks_[block_].bytes) {
    blocks_[block_].filled = used_;
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) add_block(std::max(bytes, capacity_ / 2));
  void* data = blocks_[block_].data + used_;
  source_.open(data, wanted);
  used_ += bytes;
  peak_ = std::max(peak_, live());
  return data;
}

Tensor Arena::tensor(int64_t rows, int64_t cols, Type type) {
  Tensor view{nullptr, rows, cols, type, source_.place()};
  view.data = push(size_t(view.bytes()));
  return view;
}

size_t Arena::live() const {
  size_t sum = used_;
  for (size_t i = 0; i < block_ && i < blocks_.size(); ++i) sum += blocks_[i].filled;
  return sum;
}

void Arena::release(Mark mark) {
  block_ = mark.block;
  used_ = mark.used;
  for (size_t i = block_; i < blocks_.size(); ++i) {
    const size_t kept = i == block_ ? used_ : 0;
    source_.close(blocks_[i].data + kept, blocks_[i].bytes - kept);
  }
  if (block_ != 0 || used_ != 0 || blocks_.size() < 2) return;
  const size_t whole = capacity_;
  free_blocks();
  add_block(whole);
}

void Arena::trim() {
  if (block_ == 0 && used_ == 0) free_blocks();
}

}  // namespace inbatch
