// Copies between this machine and a card, beside what the card computes.
//
// A ring of slots each way: pinned memory here and as much on the card. On its way up a piece goes
// by a stream of its own into its slot there while the queue computes, and from there to its place
// in the order of the queue, a copy within the card; on its way down it is the other way round. So
// nothing asks whether a place is free, no copy holds up the queue, and who reads waits for the
// last piece of what is read alone. Both rings are taken once, with the card.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "launch.cuh"

namespace inbatch::cuda {

class Staging {
 public:
  // What a ring takes of a card with this much memory, here and there.
  static size_t bytes_of(size_t card_memory);
  // Of the card that messages call `name`.
  Staging(std::string name, cudaStream_t queue, size_t card_memory);

  // `from` is read when it returns.
  void upload(void* to, const void* from, size_t bytes);
  // `to` is filled when finish() of the number returns, or of a later one: 1 for the first.
  uint64_t download(void* to, const void* from, size_t bytes);
  void finish(uint64_t number);
  uint64_t asked() const { return down_.next; }
  // Fills nothing more: after a failure.
  void give_up() { pending_.clear(); }

 private:
  struct Slot {
    char *here, *there;
    cudaEvent_t copied;  // between here and there
    cudaEvent_t used;    // by the queue: read there, or written
  };
  struct Ring {
    std::vector<Slot> slots;
    cudaStream_t stream;
    uint64_t next = 0;  // counts pieces
  };
  // The last pieces on their way down, in their slots.
  struct Pending {
    void* to;
    size_t bytes;
    uint64_t number;
  };

  Ring make_ring(int slots);
  void expect_success(cudaError_t error, const char* expected) const;
  void upload_piece(void* to, const void* from, size_t bytes);
  void download_piece(void* to, const void* from, size_t bytes);
  void finish_first();

  std::string name_;
  cudaStream_t queue_;
  size_t slot_bytes_;
  Ring up_, down_;
  std::deque<Pending> pending_;
};

}  // namespace inbatch::cuda
