// All weights of a model. See parameters.h.
#include "parameters.h"

#include <algorithm>
#include <cstring>

#include "../ops/linear.h"
#include "../ops/optimize8.h"
#include "../ops/run.h"
#include "../ops/weights.h"

namespace inbatch {
namespace {

constexpr int64_t kAlign = 16;  // elements: every parameter starts on a cache line

int64_t rounded(int64_t n) { return (n + kAlign - 1) / kAlign * kAlign; }
// Floats that the packed copies take.
int64_t packed_size(const Parameter& p) {
  return rounded(panels_of(p.rows) * kPanel * p.cols * width_of(p.type) / 4);
}
int64_t transposed_size(const Parameter& p) {
  return rounded(panels_of(p.cols) * kPanel * p.rows * width_of(p.type) / 4);
}

// Floats of the rows that a gradient carries from chunk to chunk.
int64_t carried_size(const Parameter& p) {
  if (!p.linear || p.type == Type::F32) return 0;
  return rounded(CarriedRows::together * (p.rows + p.cols) * width_of(p.type) / 4);
}

// A part of the state of a parameter that is to be held.
struct Wanted {
  Tensor TrainingState::*member;
  int64_t rows, cols;
  Type type = Type::F32;
};

// Below this many elements moments in 8 bits save nothing worth having, as in bitsandbytes.
constexpr int64_t kLeastIn8 = 4096;

std::vector<Wanted> moments_of(const Parameter& p, Optimizer optimizer) {
  using S = TrainingState;
  const int64_t blocks = (p.rows * p.cols + AdamW8::block - 1) / AdamW8::block;
  switch (optimizer) {
    case Optimizer::Lion:
      return {{&S::first, p.rows, p.cols}};
    case Optimizer::Adafactor:
      if (p.rows == 1) return {{&S::column_squares, 1, p.cols}};
      return {{&S::row_squares, 1, p.rows},
              {&S::column_squares, std::max<int64_t>(1, int64_t(p.parts.size())), p.cols}};
    case Optimizer::AdamW8:
      if (p.rows * p.cols < kLeastIn8) break;
      return {{&S::first, p.rows, p.cols, Type::U8},
              {&S::second, p.rows, p.cols, Type::U8},
              {&S::first_scale, 1, blocks},
              {&S::second_scale, 1, blocks}};
    default:
      break;
  }
  return {{&S::first, p.rows, p.cols}, {&S::second, p.rows, p.cols}};
}

std::vector<Wanted> wanted_of(const Parameter& p, const TrainingSettings& settings) {
  std::vector<Wanted> wanted = moments_of(p, settings.optimizer);
  if (settings.average) wanted.push_back({&TrainingState::average, p.rows, p.cols});
  return wanted;
}

// Floats that it takes.
int64_t elements_of(const Wanted& wanted) {
  return rounded((wanted.rows * wanted.cols * width_of(wanted.type) + 3) / 4);
}

// Whether the plain values are held in training alone.
bool is_given_up(const Parameter& p, Place place) {
  return p.linear && (place == Place::Cpu || p.type == Type::BF16);
}

// The elements [begin, end) as they were before they were rounded.
void read_origins(const Parameter& p, int64_t begin, int64_t end, float* to) {
  for (const Origin& origin : p.origins) {
    const int64_t first = std::max(begin, origin.at);
    const int64_t last = std::min(end, origin.at + origin.count);
    if (first < last) origin.source->read(first - origin.at, last - first, to + first - begin);
  }
}

void expect_restorable(const Parameter& p) {
  if (p.plain || !p.in_bytes()) return;
  throw Error("DTYPE_UNSUPPORTED", p.name + ": expected weights in f32, got int8");
}

}  // namespace

void Flat::allocate(int64_t elements) {
  const size_t bytes = size_t(elements) * sizeof(float);
  if (data_ && bytes == bytes_) return;
  give_back();
  data_ = source_.take(bytes);
  bytes_ = bytes;
}

void Flat::give_back() {
  if (data_) source_.give(data_, bytes_);
  data_ = nullptr;
  bytes_ = 0;
}

Tensor Flat::view(int64_t at, int64_t rows, int64_t cols, Type type) const {
  return {static_cast<float*>(data_) + at, rows, cols, type, source_.place()};
}

Parameter* Parameters::declare(const std::string& part, int64_t rows, int64_t cols, bool linear) {
  const std::string name = prefix_ + part;
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
  parameter.type = type_;
  parameter.at = size_;
  size_ += rounded(rows * cols);
  all_.push_back(parameter);
  by_name_[name] = &all_.back();
  return &all_.back();
}

void Parameters::allocate() {
  const Place place = memory_.place();
  int64_t others = 0, packed = 0;
  for (const Parameter& p : all_) {
    others += is_given_up(p, place) ? 0 : rounded(p.rows * p.cols);
    packed += p.linear ? packed_size(p) : 0;
  }
  weights_.allocate(others);
  packed_.allocate(packed);
  others = packed = 0;
  for (Parameter& p : all_) {
    p.value = {nullptr, p.rows, p.cols, Type::F32, place};
    if (!is_given_up(p, place)) {
      p.value = weights_.view(others, p.rows, p.cols);
      others += rounded(p.rows * p.cols);
    }
    if (!p.linear) continue;
    p.packed = packed_.view(packed, panels_of(p.rows), kPanel * p.cols, p.type);
    packed += packed_size(p);
  }
  if (place == Place::Cpu) hold_linear();
}

void Parameters::hold_linear() {
  int64_t size = 0, at = 0;
  for (const Parameter& p : all_) {
    size += is_given_up(p, memory_.place()) ? rounded(p.rows * p.cols) : 0;
  }
  linear_.allocate(size);
  for (Parameter& p : all_) {
    if (!is_given_up(p, memory_.place())) continue;
    p.value = linear_.view(at, p.rows, p.cols);
    at += rounded(p.rows * p.cols);
  }
}

void Parameters::use_bytes() {
  int64_t size = 0;
  const auto held = [](const Parameter& p) {
    return panels_of(p.rows) * kPanel * (words_of(p.cols) + 2);
  };
  for (const Parameter& p : all_) size += p.quantizable ? held(p) : 0;
  quantized_.allocate(size);
  int64_t at = 0;
  for (Parameter& p : all_) {
    if (!p.quantizable) continue;
    const int64_t panels = panels_of(p.rows), lanes = panels * kPanel, words = words_of(p.cols);
    p.quantized = {p.value, quantized_.view(at, panels, kPanel * words),
                   quantized_.view(at + lanes * words, 1, lanes),
                   quantized_.view(at + lanes * (words + 1), 1, lanes)};
    p.quantized.packed.type = p.quantized.sums.type = Type::I32;
    at += held(p);
  }
}

void Parameters::prepare_training(const Stream& stream,
                                  const std::unordered_set<std::string>& frozen,
                                  const TrainingSettings& settings) {
  if (!quantized_.empty()) {
    throw Error("DTYPE_UNSUPPORTED", "prepareTraining: expected weights in f32, got int8");
  }
  for (Parameter& p : all_) {
    if (p.linear) restore(stream, p);
  }
  optimizer_ = settings.optimizer;
  int64_t packed = 0;
  for (const Parameter& p : all_) packed += p.linear ? transposed_size(p) : 0;
  packed_transposed_.allocate(packed);
  gradients_.allocate(size_);
  int64_t at = 0;
  for (Parameter& p : all_) {
    p.trainable = !frozen.count(p.name);
    p.gradient = p.trainable ? gradients_.view(p.at, p.rows, p.cols) : Tensor{};
    p.parts.clear();
    if (!p.linear) continue;
    p.packed_transposed = packed_transposed_.view(at, panels_of(p.cols), kPanel * p.rows, p.type);
    at += transposed_size(p);
  }
  for (const Stacked& stacked : settings.stacked) find(stacked.name).parts = stacked.parts;
  give_places(settings);
  carry_rows();
  zero(stream, gradients_);
  zero(stream, state_);
  pack(stream);
  begin_averages(stream);
}

TrainingMemory Parameters::training_memory(const std::unordered_set<std::string>& frozen,
                                           const TrainingSettings& settings) const {
  const Place place = memory_.place();
  int64_t plain = 0, packed = 0, transposed = 0, linear = 0, state = 0, gradients = size_;
  for (const Parameter& p : all_) {
    plain += rounded(p.rows * p.cols);
    if (is_given_up(p, place)) linear += rounded(p.rows * p.cols);
    if (p.linear) {
      packed += packed_size(p);
      transposed += transposed_size(p);
      gradients += carried_size(p);
    }
    if (frozen.count(p.name)) continue;
    for (const Wanted& wanted : wanted_of(p, settings)) state += elements_of(wanted);
  }
  constexpr int64_t kBytes = sizeof(float);
  const int64_t given_up = place == Place::Cpu || linear_.empty() ? linear : 0;
  return {(plain + packed + transposed) * kBytes, gradients * kBytes, state * kBytes,
          (plain - given_up + packed) * kBytes};
}

// Counts what the state of all parameters takes, then says where each part lies.
void Parameters::give_places(const TrainingSettings& settings) {
  for (const bool counts : {true, false}) {
    int64_t at = 0;
    for (Parameter& p : all_) {
      p.state = {};
      if (!p.trainable) continue;
      for (const Wanted& wanted : wanted_of(p, settings)) {
        if (!counts) {
          p.state.*wanted.member = state_.view(at, wanted.rows, wanted.cols, wanted.type);
        }
        at += elements_of(wanted);
      }
    }
    if (counts) state_.allocate(at);
  }
}

void Parameters::carry_rows() {
  int64_t size = 0, at = 0;
  for (const Parameter& p : all_) size += carried_size(p);
  carried_.allocate(size);
  for (Parameter& p : all_) {
    p.carried = {};
    if (carried_size(p) == 0) continue;
    const int64_t rows = CarriedRows::together;
    p.carried.x = carried_.view(at, rows, p.cols, p.type);
    p.carried.dy = p.carried.x;
    p.carried.dy.cols = p.rows;
    p.carried.dy.data = p.carried.x.slice(rows, 0).data;
    at += carried_size(p);
  }
}

void Parameters::begin_averages(const Stream& stream) {
  for (const Parameter& p : all_) {
    if (!p.state.average.empty()) run(stream, Blend{1, p.value, p.state.average});
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
    if (keep || !p.linear || stream.card) return;
    p.plain = false;
    drop_pages(p.value.data, size_t(p.value.bytes()));
  });
  if (!keep && !stream.card) linear_.drop();
}

void Parameters::refresh(const Stream& stream, Parameter& p, bool rounded) {
  const bool is_fresh = !p.origins.empty() && !is_training();
  if (!p.linear || is_fresh) return;
  if (p.in_bytes()) {
    if (p.plain) run(stream, p.quantized);
    return;
  }
  restore(stream, p);
  if (!rounded) run(stream, LinearPack{false, p.value, p.packed});
  if (!p.packed_transposed.empty()) run(stream, LinearPack{true, p.value, p.packed_transposed});
}

void Parameters::restore(const Stream& stream, Parameter& p) {
  expect_restorable(p);
  if (p.value.empty()) hold_linear();
  if (!p.origins.empty()) {
    fill_from_origins(stream, p);
  } else if (!p.plain) {
    run(stream, LinearUnpack{0, p.packed, p.value});
  }
  p.plain = true;
}

void Parameters::fill_from_origins(const Stream& stream, Parameter& p) const {
  constexpr int64_t kChunk = 1 << 18;
  std::vector<float> room(size_t(std::min(kChunk, p.value.size())));
  for (int64_t at = 0; at < p.value.size(); at += kChunk) {
    if (stream.is_cancelled()) throw Cancelled();
    const int64_t count = std::min(kChunk, p.value.size() - at);
    read_origins(p, at, at + count, room.data());
    stream.upload(p.value.f32() + at, room.data(), size_t(count) * sizeof(float));
  }
  p.origins.clear();
}

bool Parameters::is_rounded(const Parameter& p) const {
  return p.value.empty() && is_given_up(p, memory_.place());
}

void Parameters::came_from(Parameter& p, Origin origin) const {
  const auto is_replaced = [&](const Origin& other) {
    return other.at >= origin.at && other.at + other.count <= origin.at + origin.count;
  };
  p.origins.erase(std::remove_if(p.origins.begin(), p.origins.end(), is_replaced), p.origins.end());
  p.origins.push_back(std::move(origin));
  p.plain = false;
}

void Parameters::read(const Stream& stream, const Parameter& p, int64_t row, Tensor rows) const {
  expect_restorable(p);
  if (!p.origins.empty()) {
    const int64_t begin = row * p.cols;
    return read_origins(p, begin, begin + rows.size(), rows.f32());
  }
  if (!p.plain) return run(stream, LinearUnpack{row, p.packed, rows});
  stream.download(rows.data, p.value.slice(row, rows.rows).data, size_t(rows.bytes()));
}

void Parameters::zero_gradients(const Stream& stream) {
  forget_carried();
  zero(stream, gradients_);
}

void Parameters::finish_gradients(const Stream& stream) {
  for (Parameter& p : all_) p.carried.finish(stream);
}

void Parameters::forget_carried() {
  for (Parameter& p : all_) p.carried.rows = 0;
}

void Parameters::zero(const Stream& stream, const Flat& flat) const {
  constexpr int64_t kChunk = 1 << 18;
  const int64_t size = flat.size();
  if (stream.card) return stream.clear(flat.view(0, 1, size).data, size_t(size) * sizeof(float));
  float* data = flat.view(0, 1, size).f32();
  stream.parallel_for((size + kChunk - 1) / kChunk, [&](int64_t item, int) {
    const int64_t at = item * kChunk;
    std::memset(data + at, 0, size_t(std::min(kChunk, size - at)) * sizeof(float));
  });
}

int64_t Parameters::bytes() const { return size_ * int64_t(sizeof(float)); }

}  // namespace inbatch
