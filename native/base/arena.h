// Memory as a stack: push by bumping, pop by going back to a mark.
//
// An arena grows by whole blocks and keeps them. When it becomes empty after having needed several
// blocks, they are joined into one, so a step whose largest shape has run allocates nothing again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tensor.h"

namespace inbatch {

// Where an arena has its blocks from: the pages of this machine, or the memory of a card.
class MemorySource {
 public:
  virtual ~MemorySource() = default;
  virtual Place place() const = 0;
  // 64-byte aligned; throws OUT_OF_MEMORY.
  virtual void* take(size_t bytes) = 0;
  virtual void give(void* data, size_t bytes) = 0;
  // Where memory is watched: from open() on the bytes may be used, and what they hold is undefined;
  // from close() on they may not be touched.
  virtual void open(void*, size_t) {}
  virtual void close(void*, size_t) {}
};

// The pages of this machine.
MemorySource& host_memory();

class Arena {
 public:
  struct Mark {
    size_t block = 0, used = 0;
  };

  explicit Arena(MemorySource& source = host_memory()) : source_(source) {}
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // 64-byte aligned memory, valid until release() of an earlier mark. Contents are undefined.
  void* push(size_t bytes);
  Tensor tensor(int64_t rows, int64_t cols, Type type = Type::F32);

  Mark mark() const { return {block_, used_}; }
  void release(Mark mark);
  // Gives all memory back; the arena must be empty.
  void trim();

  // The most that was pushed at a time.
  size_t peak() const { return peak_; }
  size_t capacity() const { return capacity_; }
  // How often memory was taken from the system since the start.
  uint64_t allocations() const { return allocations_; }

 private:
  struct Block {
    char* data;
    size_t bytes;
    size_t filled;  // what was used of it when the next one was begun
  };
  void add_block(size_t bytes);
  void free_blocks();
  size_t live() const;

  MemorySource& source_;
  std::vector<Block> blocks_;
  size_t block_ = 0, used_ = 0, capacity_ = 0, peak_ = 0;
  uint64_t allocations_ = 0;
};

// Releases on leaving the scope whatever was pushed inside it.
class Scope {
 public:
  explicit Scope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
  ~Scope() { arena_.release(mark_); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Arena& arena_;
  Arena::Mark mark_;
};

// Page-aligned memory straight from the system, zeroed; throws OUT_OF_MEMORY.
void* take_pages(size_t bytes);
void give_pages(void* data, size_t bytes);
// Gives back what backs the whole pages within `bytes`; they read as zeros until they are written.
void drop_pages(void* data, size_t bytes);

}  // namespace inbatch
