// Operands of made-up numbers. Each matrix lies in memory of its own that ends where its last
// element ends and begins off every boundary, so that a step beyond it, or a kernel that hopes for
// alignment, is seen by a sanitizer.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "../../native/base/error.h"
#include "../../native/base/random.h"
#include "../../native/base/tensor.h"

namespace inbatch::driver {

// How large the operands of a walk through the ops are, and whether they include what may be empty.
struct Extents {
  std::vector<int32_t> lengths;             // tokens of each text
  int64_t width = 1, inner = 1, heads = 1;  // heads divide the width
  bool is_bare = false;                     // what may be empty is empty
};

class Draw {
 public:
  explicit Draw(const Extents& given) : extents(given) {
    for (const int32_t length : extents.lengths) tokens += length;
    texts = int64_t(extents.lengths.size());
  }

  const Extents extents;
  int64_t texts = 0, tokens = 0;

  // Numbers from -1 to 1.
  Tensor floats(int64_t rows, int64_t cols) {
    return filled<float>(rows, cols, Type::F32, [this] { return 2 * uniform() - 1; });
  }
  // Numbers from 1/2 to 1.
  Tensor positive(int64_t rows, int64_t cols) {
    return filled<float>(rows, cols, Type::F32, [this] { return 0.5f + uniform() / 2; });
  }
  // What an op overwrites: no numbers, so that what is left out or read first shows.
  Tensor blank(int64_t rows, int64_t cols) {
    const Tensor made = filled<float>(rows, cols, Type::F32, [] { return NAN; });
    blanks_.push_back(made);
    return made;
  }
  // Whole numbers from 0, below a limit that is not 0.
  Tensor integers(int64_t rows, int64_t cols, int64_t limit) {
    return filled<int32_t>(rows, cols, Type::I32,
                           [&] { return int32_t(bits() % uint32_t(limit)); });
  }
  // Whole numbers of one byte.
  Tensor codes(int64_t rows, int64_t cols) {
    return filled<uint8_t>(rows, cols, Type::U8, [this] { return uint8_t(bits()); });
  }
  // In each row whole numbers that count up from the row's own.
  Tensor counting(int64_t rows, int64_t cols) {
    int64_t place = 0;
    return filled<int32_t>(rows, cols, Type::I32, [&] {
      const int64_t at = place++;
      return int32_t(at / cols + at % cols);
    });
  }
  Tensor zero_double() {
    return filled<double>(1, 1, Type::F64, [] { return 0.0; });
  }
  Tensor offsets() {
    auto length = extents.lengths.begin();
    int32_t at = 0;
    return filled<int32_t>(1, texts + 1, Type::I32, [&] {
      const int32_t offset = at;
      if (length != extents.lengths.end()) at += *length++;
      return offset;
    });
  }
  Tensor numbers_of_texts() {
    int32_t text = 0;
    return filled<int32_t>(1, texts, Type::I32, [&] { return text++; });
  }
  // A row of each text for each column, -1 where a text has none.
  Tensor rows_of_texts(int64_t cols) {
    const Tensor offsets = this->offsets();
    int64_t place = 0;
    return filled<int32_t>(texts, cols, Type::I32, [&] {
      const int32_t* text = offsets.i32() + place++ / cols;
      return text[1] > text[0] ? text[0] + int32_t(bits() % uint32_t(text[1] - text[0])) : -1;
    });
  }
  int64_t longest() const {
    int32_t most = 0;
    for (const int32_t length : extents.lengths) most = std::max(most, length);
    return most;
  }
  // The operand, or nothing where what may be empty is empty.
  Tensor optional(Tensor tensor) const { return extents.is_bare ? Tensor{} : tensor; }

  // Whether an operand that should have been overwritten holds what is no number.
  bool has_gaps() const {
    for (const Tensor& tensor : blanks_) {
      for (int64_t i = 0; i < tensor.size(); ++i) {
        if (std::isnan(tensor.f32()[i])) return true;
      }
    }
    return false;
  }

  // Of the bits of every operand.
  uint64_t hash() const {
    uint64_t hash = 0;
    for (const Tensor& tensor : all_) {
      const auto* bytes = tensor.as<const char>();
      for (int64_t at = 0; at < tensor.bytes(); at += 4) {
        uint32_t word = 0;
        std::memcpy(&word, bytes + at, size_t(std::min<int64_t>(4, tensor.bytes() - at)));
        hash = mix64(hash ^ word);
      }
    }
    return hash;
  }

 private:
  template <class T, class F>
  Tensor filled(int64_t rows, int64_t cols, Type type, F next) {
    Tensor tensor{nullptr, rows, cols, type, Place::Cpu};
    const int64_t off = width_of(type);  // from where malloc begins, a multiple of sixteen
    memory_.emplace_back(static_cast<char*>(std::malloc(size_t(off + tensor.bytes()))), &std::free);
    tensor.data = memory_.back().get() + off;
    for (int64_t i = 0; i < tensor.size(); ++i) tensor.as<T>()[i] = next();
    all_.push_back(tensor);
    return tensor;
  }
  uint32_t bits() { return random_bits(17, place_++); }
  float uniform() { return float(bits() >> 8) / float(1 << 24); }

  uint32_t place_ = 0;
  std::vector<std::unique_ptr<char, decltype(&std::free)>> memory_;
  std::vector<Tensor> all_, blanks_;
};

// What an op without a row meets.
template <class Op>
void fill(Op&, Draw&) {
  static_assert(!sizeof(Op), "expected a row for this op in operands.h or loss_operands.h");
}

}  // namespace inbatch::driver
