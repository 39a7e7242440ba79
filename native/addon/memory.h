// Blocks of device memory behind JavaScript handles.
//
// A block that is let go is kept for the next of its size class, so steps of like shape take
// nothing from the system. Handles and queued jobs share a block; it goes back when the last lets
// go.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "../base/arena.h"
#include "../base/tensor.h"

namespace inbatch {

class Memory {
 public:
  explicit Memory(MemorySource& source = host_memory()) : source_(source) {}

  struct Block {
    void* data;
    size_t bytes;
  };

  std::shared_ptr<Block> take(size_t bytes);
  // Gives to the source what waits to be used again.
  void give_back();
  Place place() const { return source_.place(); }
  uint64_t allocations() const { return allocations_; }
  size_t held() const { return held_; }

 private:
  void* spare(size_t size);

  MemorySource& source_;
  std::mutex mutex_;
  std::map<size_t, std::vector<void*>> free_;
  uint64_t allocations_ = 0;
  size_t held_ = 0;
};

// A view and the block it lives in.
struct Held {
  Tensor tensor;
  std::shared_ptr<Memory::Block> block;
};

}  // namespace inbatch
