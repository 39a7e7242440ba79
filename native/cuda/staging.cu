// Copies beside what the card computes. See staging.cuh.
#include "staging.cuh"

#include <algorithm>
#include <cstring>
#include <utility>

namespace inbatch::cuda {
namespace {

// A slot holds the ids of 65536 tokens; those of a small card together its 64th part. A batch takes
// some four on its way up, and its embeddings a few on their way down: several batches fit.
constexpr size_t kLargestSlot = size_t(256) << 10, kLeastSlot = 1024;
constexpr int kSlotsUp = 16, kSlotsDown = 48, kSlots = kSlotsUp + kSlotsDown;

size_t slot_of(size_t card_memory) {
  const size_t share = card_memory / (64 * kSlots) / kLeastSlot * kLeastSlot;
  return std::min(std::max(share, kLeastSlot), kLargestSlot);
}

// body(to, from, bytes) for pieces that fit into a slot.
template <class Body>
void for_pieces(void* to, const void* from, size_t bytes, size_t most, const Body& body) {
  for (size_t at = 0; at < bytes; at += most) {
    body(static_cast<char*>(to) + at, static_cast<const char*>(from) + at,
         std::min(most, bytes - at));
  }
}

}  // namespace

size_t Staging::bytes_of(size_t card_memory) { return kSlots * slot_of(card_memory); }

Staging::Staging(std::string name, cudaStream_t queue, size_t card_memory)
    : name_(std::move(name)),
      queue_(queue),
      slot_bytes_(slot_of(card_memory)),
      up_(make_ring(kSlotsUp)),
      down_(make_ring(kSlotsDown)) {}

void Staging::expect_success(cudaError_t error, const char* expected) const {
  if (error == cudaSuccess) return;
  throw Error("DEVICE_FAILED",
              name_ + ": expected " + expected + ", got: " + cudaGetErrorString(error));
}

Staging::Ring Staging::make_ring(int slots) {
  Ring ring;
  void *here = nullptr, *there = nullptr;
  const size_t bytes = size_t(slots) * slot_bytes_;
  expect_success(cudaMallocHost(&here, bytes), "pinned memory");
  expect_success(cudaMalloc(&there, bytes), "memory for copies");
  expect_success(cudaStreamCreateWithFlags(&ring.stream, cudaStreamNonBlocking), "to start");
  for (int i = 0; i < slots; ++i) {
    const size_t at = size_t(i) * slot_bytes_;
    Slot slot{static_cast<char*>(here) + at, static_cast<char*>(there) + at, {}, {}};
    for (cudaEvent_t* event : {&slot.copied, &slot.used}) {
      expect_success(cudaEventCreateWithFlags(event, cudaEventDisableTiming), "to start");
    }
    ring.slots.push_back(slot);
  }
  return ring;
}

void Staging::upload(void* to, const void* from, size_t bytes) {
  for_pieces(to, from, bytes, slot_bytes_, [&](void* part, const void* source, size_t size) {
    upload_piece(part, source, size);
  });
}

void Staging::upload_piece(void* to, const void* from, size_t bytes) {
  const Slot& slot = up_.slots[up_.next++ % kSlotsUp];
  const char* expected = "to copy to the card";
  expect_success(cudaEventSynchronize(slot.copied), expected);  // its last piece has left here
  std::memcpy(slot.here, from, bytes);
  expect_success(cudaStreamWaitEvent(up_.stream, slot.used), expected);  // and has left there
  expect_success(cudaMemcpyAsync(slot.there, slot.here, bytes, cudaMemcpyHostToDevice, up_.stream),
                 expected);
  expect_success(cudaEventRecord(slot.copied, up_.stream), expected);
  expect_success(cudaStreamWaitEvent(queue_, slot.copied), expected);
  expect_success(cudaMemcpyAsync(to, slot.there, bytes, cudaMemcpyDeviceToDevice, queue_),
                 expected);
  expect_success(cudaEventRecord(slot.used, queue_), expected);
}

uint64_t Staging::download(void* to, const void* from, size_t bytes) {
  for_pieces(to, from, bytes, slot_bytes_, [&](void* part, const void* source, size_t size) {
    download_piece(part, source, size);
  });
  return down_.next;
}

void Staging::download_piece(void* to, const void* from, size_t bytes) {
  if (pending_.size() == kSlotsDown) finish_first();  // whose slot comes next
  const Slot& slot = down_.slots[down_.next++ % kSlotsDown];
  const char* expected = "to copy from the card";
  expect_success(cudaMemcpyAsync(slot.there, from, bytes, cudaMemcpyDeviceToDevice, queue_),
                 expected);
  expect_success(cudaEventRecord(slot.used, queue_), expected);
  expect_success(cudaStreamWaitEvent(down_.stream, slot.used), expected);
  expect_success(
      cudaMemcpyAsync(slot.here, slot.there, bytes, cudaMemcpyDeviceToHost, down_.stream),
      expected);
  expect_success(cudaEventRecord(slot.copied, down_.stream), expected);
  pending_.push_back({to, bytes, down_.next});
}

void Staging::finish(uint64_t number) {
  while (!pending_.empty() && pending_.front().number <= number) finish_first();
}

void Staging::finish_first() {
  const Pending piece = pending_.front();
  const Slot& slot = down_.slots[(piece.number - 1) % kSlotsDown];
  expect_success(cudaEventSynchronize(slot.copied), "the work queued before to be done");
  std::memcpy(piece.to, slot.here, piece.bytes);
  pending_.pop_front();
}

}  // namespace inbatch::cuda
