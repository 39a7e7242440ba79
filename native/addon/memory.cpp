// Blocks of device memory. See memory.h.
#include "memory.h"

#include <algorithm>

namespace inbatch {
namespace {

// Size classes an eighth of a power of two apart.
size_t class_of(size_t bytes) {
  size_t power = 4096;
  while (power * 2 <= bytes) power *= 2;
  const size_t unit = std::max<size_t>(power / 8, 4096);
  return (std::max<size_t>(bytes, 1) + unit - 1) / unit * unit;
}

}  // namespace

void Memory::give_back() {
  const std::lock_guard lock(mutex_);
  for (auto& [bytes, list] : free_) {
    for (void* data : list) source_.give(data, bytes);
    held_ -= bytes * list.size();
    list.clear();
  }
}

std::shared_ptr<Memory::Block> Memory::take(size_t bytes) {
  const size_t size = class_of(bytes);
  void* data = spare(size);
  if (!data) {
    data = source_.take(size);  // without the lock: a source that is short calls give_back()
    const std::lock_guard lock(mutex_);
    ++allocations_;
    held_ += size;
  }
  source_.open(data, bytes);
  return {new Block{data, size}, [this](Block* block) {
            const std::lock_guard guard(mutex_);
            source_.close(block->data, block->bytes);
            free_[block->bytes].push_back(block->data);
            delete block;
          }};
}

// A block of the class that waits to be used again, or none.
void* Memory::spare(size_t size) {
  const std::lock_guard lock(mutex_);
  auto& list = free_[size];
  if (list.empty()) return nullptr;
  void* data = list.back();
  list.pop_back();
  return data;
}

}  // namespace inbatch
