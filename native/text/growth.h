// How much longer the steps of a normaliser may make a text. A few steps that each double it make
// more than any memory holds, so a tokenizer of unknown origin is stopped by a bound.
#pragma once

#include <string>

#include "../base/error.h"

namespace inbatch::text {

class Growth {
 public:
  // `where` begins the message of a text that grew too much.
  explicit Growth(std::string where) : where_(std::move(where)) {}

  void begin(size_t length) {
    length_ = length;
    left_ = int64_t(length * kMostPerUnit + kMostAdded);
  }

  void add(size_t units) {
    left_ -= int64_t(units);
    if (left_ >= 0) return;
    throw Error("TOKENIZER_INVALID", where_ + ": expected at most " +
                                         std::to_string(length_ * kMostPerUnit + kMostAdded) +
                                         " characters from a text of " + std::to_string(length_) +
                                         ", got more; its steps make texts longer and longer");
  }

 private:
  // UTF-16 units that a text may become, for each that it has and for all.
  static constexpr size_t kMostPerUnit = 64, kMostAdded = 4096;
  std::string where_;
  size_t length_ = 0;
  int64_t left_ = 0;
};

}  // namespace inbatch::text
