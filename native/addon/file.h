// A weight file, read in place: tensors of any float type become parameters, in f32 or as they are.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "../base/bf16.h"
#include "../base/tensor.h"

namespace inbatch {

class WeightFile {
 public:
  // Throws FILE_UNREADABLE.
  explicit WeightFile(const std::string& path);
  ~WeightFile();
  WeightFile(const WeightFile&) = delete;
  WeightFile& operator=(const WeightFile&) = delete;

  // Reads `count` elements of `type` at byte `offset` as f32. A file that became shorter meanwhile
  // is an error, not a fault: it is read, not mapped.
  void read(uint64_t offset, Type type, float* out, int64_t count) const;
  // Reads bytes as they are.
  void read(uint64_t offset, void* out, size_t bytes) const;

  // Refuses values read from the tensor of this name, from its element `first` on, that are
  // infinite or not a number.
  void expect_finite(const std::string& tensor, const float* values, int64_t count,
                     int64_t first = 0) const;
  void expect_finite(const std::string& tensor, const bf16* values, int64_t count,
                     int64_t first) const;
  // Refuses a file that was written to since it was opened. One that was replaced or deleted is
  // still the one that was opened.
  void expect_unchanged() const;

 private:
  struct Version {
    int64_t bytes = 0, seconds = 0, nanoseconds = 0;
    bool operator==(const Version& other) const {
      return bytes == other.bytes && seconds == other.seconds && nanoseconds == other.nanoseconds;
    }
  };
  Version version() const;

  std::string path_;
  int descriptor_ = -1;
  Version opened_;
};

// The first of the values that is infinite or not a number; -1 when all are finite.
int64_t first_not_finite(const float* values, int64_t count);

// A hash of values in their order, by which models are told apart. Those in bf16 count as the f32
// that they are.
class ValueHash {
 public:
  void add(const float* values, int64_t count);
  void add(const bf16* values, int64_t count);
  // How many values were added.
  int64_t count() const { return count_; }
  uint64_t value() const;

 private:
  template <class T>
  void add_all(const T* values, int64_t count);

  uint64_t lanes_[4] = {1, 2, 3, 4};
  int64_t count_ = 0;
};

uint64_t hash_of(const float* values, int64_t count);
std::string hex_of(uint64_t value);

}  // namespace inbatch
