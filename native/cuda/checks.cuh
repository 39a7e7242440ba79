// The checks of numbers on a card (faults.cuh) that nobody has waited for yet, by their names.
#pragma once

#include <deque>
#include <string>

#include "faults.cuh"

namespace inbatch::cuda {

class Checks {
 public:
  // The number of a new one, from 1 again when none is left.
  int32_t add(const char* op, const char* field) {
    checks_.push_back({op, field});
    return passed_ + int32_t(checks_.size());
  }

  // Those so far are told by whoever waits for the mark.
  void mark(uint64_t mark) { marks_.push_back({mark, passed_ + int32_t(checks_.size())}); }

  // What was found when the mark was reached. A fault is OP_INVALID; whoever had asked for more
  // before it was cleared is told the same.
  void pass(uint64_t mark, const Fault& found) {
    int32_t last = passed_;
    while (!marks_.empty() && marks_.front().mark <= mark) {
      last = marks_.front().last;
      marks_.pop_front();
    }
    if (found.check > passed_) tell(found, checks_.at(size_t(found.check - passed_) - 1));
    while (passed_ < last) {
      checks_.pop_front();
      ++passed_;
    }
    if (checks_.empty() && marks_.empty()) passed_ = 0;
  }

 private:
  struct Named {
    const char *op, *field;
  };
  struct Mark {
    uint64_t mark;
    int32_t last;
  };

  [[noreturn]] static void tell(const Fault& found, const Named& named) {
    refuse(named.op, std::string("expected ") + named.field + " below " +
                         std::to_string(found.limit) + ", got " + std::to_string(found.value) +
                         " at " + std::to_string(found.place));
  }

  std::deque<Named> checks_;
  std::deque<Mark> marks_;
  int32_t passed_ = 0;  // checks that were waited for
};

}  // namespace inbatch::cuda
