// A view of a matrix: address, rows, columns, element type. It owns nothing.
//
// Rows follow one another without gaps; the last extent is contiguous.
#pragma once

#include <cstddef>
#include <cstdint>

namespace inbatch {

enum class Type : uint8_t { F32, F16, BF16, I32, F64, U8 };
enum class Place : uint8_t { Cpu, Cuda };

constexpr int64_t width_of(Type type) {
  switch (type) {
    case Type::F64:
      return 8;
    case Type::F16:
    case Type::BF16:
      return 2;
    case Type::U8:
      return 1;
    default:
      return 4;
  }
}

constexpr const char* name_of(Type type) {
  switch (type) {
    case Type::F32:
      return "f32";
    case Type::F16:
      return "f16";
    case Type::BF16:
      return "bf16";
    case Type::I32:
      return "i32";
    case Type::U8:
      return "u8";
    default:
      return "f64";
  }
}

constexpr const char* name_of(Place place) { return place == Place::Cpu ? "cpu" : "card"; }

struct Tensor {
  void* data = nullptr;
  int64_t rows = 0, cols = 0;
  Type type = Type::F32;
  Place place = Place::Cpu;

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  float* f32() const { return as<float>(); }
  int32_t* i32() const { return as<int32_t>(); }
  int64_t size() const { return rows * cols; }
  int64_t bytes() const { return size() * width_of(type); }
  bool empty() const { return data == nullptr; }

  // The rows [begin, begin + count) as a view of their own.
  Tensor slice(int64_t begin, int64_t count) const {
    Tensor view = *this;
    view.data = static_cast<char*>(data) + begin * cols * width_of(type);
    view.rows = count;
    return view;
  }
};

// All elements in one row.
inline Tensor flattened(const Tensor& x) { return {x.data, 1, x.size(), x.type, x.place}; }

// Elements of a matrix from `at` on: whole rows of it, or of a single row a part.
inline Tensor elements_of(const Tensor& x, int64_t at, int64_t count) {
  if (x.rows > 1) return x.slice(at / x.cols, count / x.cols);
  Tensor view = flattened(x);
  view.data = static_cast<char*>(x.data) + at * width_of(x.type);
  view.cols = count;
  return view;
}

}  // namespace inbatch
