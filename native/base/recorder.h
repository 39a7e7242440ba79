// What was asked of a card, to be asked again with one call. Every card is a Recorder too.
#pragma once

#include <functional>
#include <memory>

namespace inbatch {

struct Recording {
  virtual ~Recording() = default;
};

class Recorder {
 public:
  // Launches, copies within the card and zeros that the body asks for; nothing of it is done now.
  // It takes and gives back no memory, copies nothing from or to this machine, checks no numbers
  // and does not wait.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& body) = 0;
  // Asks for them as they were: with the same memory, whatever that holds by then.
  virtual void replay(const Recording& recording) = 0;

 protected:
  ~Recorder() = default;
};

}  // namespace inbatch
