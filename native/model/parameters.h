// All weights of a model: names to views, flat allocations for weights, gradients and moments, and
// the packed copies that products read.
//
// Outside training a linear weight is held once: when it is packed its plain values are given up,
// since the packed copy holds the same ones. Whoever needs them calls restore() or read() first.
//
// Freezing is settled here: a frozen parameter has no gradient, and a layer asks nothing else.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "../ops/op.h"

namespace inbatch {

struct Parameter {
  std::string name;
  int64_t rows = 0, cols = 0;
  bool decay = false;   // matrices decay; biases and norms do not
  bool linear = false;  // has packed copies
  bool trainable = true;
  bool plain = true;  // value holds the weights; otherwise only packed does
  int64_t at = 0;     // place in the flat memory of gradients and moments, in elements
  Tensor value, gradient, first, second, packed, packed_transposed;
};

// Pages of zeros for `elements` floats.
class Flat {
 public:
  Flat() = default;
  ~Flat() { give_pages(data_, bytes_); }
  Flat(const Flat&) = delete;
  Flat& operator=(const Flat&) = delete;
  void allocate(int64_t elements);
  bool empty() const { return data_ == nullptr; }
  Tensor view(int64_t at, int64_t rows, int64_t cols) const;
  // Gives the memory back; it reads as zeros until it is written again.
  void drop() { drop_pages(data_, bytes_); }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

class Parameters {
 public:
  // Declares a parameter; its memory comes with allocate(). A name declared again with the same
  // shape is the same parameter: two layers share it.
  Parameter* declare(const std::string& name, int64_t rows, int64_t cols, bool linear);
  void allocate();
  // Memory for gradients and moments; parameters named in `frozen` get none, and second moments
  // only what asks for them. Of an earlier training it is used again, as that left it:
  // zero_moments() follows.
  void prepare_training(const std::unordered_set<std::string>& frozen, bool second = true);
  bool is_training() const { return !gradients_.empty(); }

  Parameter& find(const std::string& name);
  std::deque<Parameter>& all() { return all_; }
  // Refreshes the packed copies of every linear weight. `seen` gets each parameter by its number
  // while its plain values are there; several threads call it.
  void pack(const Stream& stream, const std::function<void(int64_t, const Parameter&)>& seen = {});
  // Makes value hold the weights.
  void restore(const Stream& stream, Parameter& parameter) const;
  // The rows of a weight from `row` on, without restoring it.
  void read(const Stream& stream, const Parameter& parameter, int64_t row, Tensor rows) const;
  void zero_gradients(const Stream& stream);
  void zero_moments(const Stream& stream);
  int64_t bytes() const;

 private:
  void zero(const Stream& stream, const Flat& flat) const;
  void refresh(const Stream& stream, Parameter& parameter) const;

  std::deque<Parameter> all_;
  std::unordered_map<std::string, Parameter*> by_name_;
  int64_t size_ = 0;
  Flat weights_, linear_, gradients_, first_, second_, packed_, packed_transposed_;
};

}  // namespace inbatch
