// All weights of a model. See parameters.h.
#include "parameters.h"

#include <algorithm>
#include <cstring>

#include "../ops/linear.h"
#include "../ops/run.h"

namespace inbatch {
namespace {

constexpr int64_t kAlign = 16;  // elements: every parameter starts on a cache line

int64_t rounded(int64_t n) { return (n + kAlign - 1) / kAlign * kAlign; }
int64_t packed_size(int64_t n, int64_t k) { return panels_of(n) * kPanel * k; }

}  // namespace

void Flat::allocate(int64_t elements) {
  if (data_) return;
  bytes_ = size_t(elements) * sizeof(float);
  data_ = take_pages(bytes_);
}

Tensor Flat::view(int64_t at, int64_t rows, int64_t cols) const {
  return {static_cast<float*>(data_) + at, rows, cols, Type::F32, Place::Cpu};
}

Parameter* Parameters::declare(const std::string& name, int64_t rows, int64_t cols, bool linear) {
  if (const auto found = by_name_.find(name); found != by_name_.end()) {
    expect(found->second->rows == rows && found->second->cols == cols, "spec",
           "expected layers that share " + name + " to be of one shape");
    return found->second;
  }
  Parameter parameter;
  parameter.name = name;
  parameter.rows = rows;
  parameter.cols = cols;
  parameter.decay = rows > 1 || linear;
  parameter.linear = linear;
  parameter.at = size_;
  size_ += rounded(rows * cols);
  all_.push_back(parameter);
  by_name_[name] = &all_.back();
  return &all_.back();
}

void Parameters::allocate() {
  int64_t linear = 0, others = 0, packed = 0;
  for (const Parameter& p : all_) {
    (p.linear ? linear : others) += rounded(p.rows * p.cols);
    packed += p.linear ? packed_size(p.rows, p.cols) : 0;
  }
  weights_.allocate(others);
  linear_.allocate(linear);
  packed_.allocate(packed);
  linear = others = packed = 0;
  for (Parameter& p : all_) {
    int64_t& at = p.linear ? linear : others;
    p.value = (p.linear ? linear_ : weights_).view(at, p.rows, p.cols);
    at += rounded(p.rows * p.cols);
    if (!p.linear) continue;
    p.packed = packed_.view(packed, panels_of(p.rows), kPanel * p.cols);
    packed += packed_size(p.rows, p.cols);
  }
}

void Parameters::prepare_training(const std::unordered_set<std::string>& frozen, bool second) {
  int64_t packed = 0;
  for (const Parameter& p : all_) packed += p.linear ? packed_size(p.cols, p.rows) : 0;
  packed_transposed_.allocate(packed);
  for (Flat* flat : {&gradients_, &first_}) flat->allocate(size_);
  if (second) second_.allocate(size_);
  int64_t at = 0;
  for (Parameter& p : all_) {
    p.trainable = !frozen.count(p.name);
    p.gradient = p.trainable ? gradients_.view(p.at, p.rows, p.cols) : Tensor{};
    p.first = p.trainable ? first_.view(p.at, p.rows, p.cols) : Tensor{};
    p.second = p.trainable && second ? second_.view(p.at, p.rows, p.cols) : Tensor{};
    if (!p.linear) continue;
    p.packed_transposed = packed_transposed_.view(at, panels_of(p.cols), kPanel * p.rows);
    at += packed_size(p.cols, p.rows);
  }
}

Parameter& Parameters::find(const std::string& name) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) {
    throw Error("MODEL_TENSOR", "model: expected the name of a parameter, got \"" + name + '"');
  }
  return *found->second;
}

void Parameters::pack(const Stream& stream,
                      const std::function<void(int64_t, const Parameter&)>& seen) {
  const bool keep = is_training();
  if (keep) {
    for (Parameter& p : all_) refresh(stream, p);
  }
  // A thread does all that one parameter needs, so that few are held twice at a time.
  stream.parallel_for(int64_t(all_.size()), [&](int64_t i, int worker) {
    Parameter& p = all_[size_t(i)];
    if (!keep) refresh(stream.alone(worker), p);
    if (seen) seen(i, p);
    if (keep || !p.linear) return;
    p.plain = false;
    drop_pages(p.value.data, size_t(p.value.bytes()));
  });
  if (!keep) linear_.drop();
}

void Parameters::refresh(const Stream& stream, Parameter& p) const {
  if (!p.linear) return;
  restore(stream, p);
  run(stream, LinearPack{false, p.value, p.packed});
  if (!p.packed_transposed.empty()) run(stream, LinearPack{true, p.value, p.packed_transposed});
}

void Parameters::restore(const Stream& stream, Parameter& p) const {
  if (!p.plain) run(stream, LinearUnpack{0, p.packed, p.value});
  p.plain = true;
}

void Parameters::read(const Stream& stream, const Parameter& p, int64_t row, Tensor rows) const {
  if (!p.plain) return run(stream, LinearUnpack{row, p.packed, rows});
  std::memcpy(rows.data, p.value.slice(row, rows.rows).data, size_t(rows.bytes()));
}

void Parameters::zero_gradients(const Stream& stream) { zero(stream, gradients_); }

void Parameters::zero_moments(const Stream& stream) {
  for (const Flat* flat : {&first_, &second_}) {
    if (!flat->empty()) zero(stream, *flat);
  }
}

void Parameters::zero(const Stream& stream, const Flat& flat) const {
  constexpr int64_t kChunk = 1 << 18;
  float* data = flat.view(0, 1, size_).f32();
  stream.parallel_for((size_ + kChunk - 1) / kChunk, [&](int64_t item, int) {
    const int64_t at = item * kChunk;
    std::memset(data + at, 0, size_t(std::min(kChunk, size_ - at)) * sizeof(float));
  });
}

int64_t Parameters::bytes() const { return size_ * int64_t(sizeof(float)); }

}  // namespace inbatch
