// The one exception of native code, and the checks that throw it with one wording.
//
// Only addon/ turns an Error into JavaScript. The code is one of src/errors.ts.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#include "tensor.h"

namespace inbatch {

class Error : public std::exception {
 public:
  Error(std::string code, std::string message)
      : code_(std::move(code)), message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  const std::string& code() const { return code_; }

 private:
  std::string code_, message_;
};

// Work that was given up because its owner asked for it; never reaches a user as an error.
struct Cancelled : std::exception {
  const char* what() const noexcept override { return "cancelled"; }
};

[[noreturn]] inline void refuse(const char* where, const std::string& what) {
  throw Error("OP_INVALID", std::string(where) + ": " + what);
}

inline void expect(bool holds, const char* where, const std::string& what) {
  if (!holds) refuse(where, what);
}

inline void expect_columns(const char* op, const char* field, const Tensor& tensor,
                           int64_t columns) {
  if (tensor.cols == columns) return;
  refuse(op, std::string("expected ") + field + " of " + std::to_string(columns) +
                 " columns, got " + std::to_string(tensor.cols));
}

inline void expect_rows(const char* op, const char* field, const Tensor& tensor, int64_t rows) {
  if (tensor.rows == rows) return;
  refuse(op, std::string("expected ") + field + " of " + std::to_string(rows) + " rows, got " +
                 std::to_string(tensor.rows));
}

inline void expect_shape(const char* op, const char* field, const Tensor& tensor, int64_t rows,
                         int64_t columns) {
  expect_rows(op, field, tensor, rows);
  expect_columns(op, field, tensor, columns);
}

inline void expect_size(const char* op, const char* field, const Tensor& tensor, int64_t size) {
  if (tensor.size() == size) return;
  refuse(op, std::string("expected ") + field + " of " + std::to_string(size) + " elements, got " +
                 std::to_string(tensor.size()));
}

inline void expect_same_shape(const char* op, const char* field, const Tensor& tensor,
                              const Tensor& other) {
  expect_shape(op, field, tensor, other.rows, other.cols);
}

inline void expect_type(const char* op, const char* field, const Tensor& tensor, Type type) {
  if (tensor.empty() || tensor.type == type) return;
  refuse(op, std::string("expected ") + field + " of type " + name_of(type) + ", got " +
                 name_of(tensor.type));
}

}  // namespace inbatch
