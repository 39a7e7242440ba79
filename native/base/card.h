// A card as the core sees it: memory of its own and a queue that works in order. native/cuda has
// the one implementation; a build without it has no cards, and its core is the same.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "arena.h"

namespace inbatch {

// What was asked of a card, to be asked again with one call.
struct Recording {
  virtual ~Recording() = default;
};

class Card : public MemorySource {
 public:
  Place place() const final { return Place::Cuda; }
  // As messages name it: `card 0 (NVIDIA H200)`.
  virtual const std::string& name() const = 0;

  // Queued, all of them. An upload has read `from` when it returns; a download has filled `to` when
  // wait() returns. Only the thread of the card asks for them.
  virtual void upload(void* to, const void* from, size_t bytes) = 0;
  virtual void download(void* to, const void* from, size_t bytes) = 0;
  virtual void copy(void* to, const void* from, size_t bytes) = 0;
  virtual void clear(void* to, size_t bytes) = 0;
  // What was asked for up to here, as a number that rises.
  virtual uint64_t mark() = 0;
  // Until that is done, whatever was asked for since; throws the first thing that went wrong in it.
  virtual void wait(uint64_t mark) = 0;
  void wait() { wait(mark()); }

  // Launches, copies within the card and zeros that the body asks for; nothing of it is done now.
  // It takes and gives back no memory, copies nothing from or to this machine, checks no numbers
  // and does not wait.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& body) = 0;
  // Asks for them as they were: with the same memory, whatever that holds by then.
  virtual void replay(const Recording& recording) = 0;

  // Memory taken from the card since it was opened: how often, and how much is held.
  virtual uint64_t allocations() const = 0;
  virtual size_t held() const = 0;

  // Called when take() finds too little: gives back what its owner holds in reserve.
  std::function<void()> when_short;

  // Memory of the card for the duration of an op or a pass.
  Arena& scratch() { return scratch_; }

 private:
  Arena scratch_{*this};
};

struct CardProperties {
  std::string name;
  int capability = 0;  // 90: compute capability 9.0
  size_t memory = 0;   // bytes, used or not
  std::string reason;  // why it cannot be used; empty when it can
};

// The back end of cards.
class CardDriver {
 public:
  virtual ~CardDriver() = default;
  // Whether there is no card or no driver of cards, so that nothing is here to be refused.
  virtual bool is_absent() = 0;
  // Why there are no cards at all; empty when there may be some.
  virtual std::string reason() = 0;
  // The cards of this machine. Starts nothing on them.
  virtual std::vector<CardProperties> list() = 0;
  // Opens a card, once for the process; throws DEVICE_UNAVAILABLE.
  virtual Card& open(int index) = 0;
  // How products on Hopper are cut, for tests and figures: `shared`, `turns`, or `cheapest` as
  // usual; false where it is none of these.
  virtual bool use_schedule(const std::string& name) = 0;
};

// Null where this build has no such back end.
CardDriver* card_driver();

}  // namespace inbatch
