// A weight file, read in place: tensors of any float type become f32 parameters.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

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

  // Refuses values read from the tensor of this name that are infinite or not a number.
  void expect_finite(const std::string& tensor, const float* values, int64_t count) const;

 private:
  std::string path_;
  int descriptor_ = -1;
};

// The first of the values that is infinite or not a number; -1 when all are finite.
int64_t first_not_finite(const float* values, int64_t count);

// A hash of values, by which parts of a file are told apart.
uint64_t hash_of(const float* values, int64_t count);
std::string hex_of(uint64_t value);

}  // namespace inbatch
