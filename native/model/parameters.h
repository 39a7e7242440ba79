// All weights of a model: names to views, flat allocations for weights, gradients and moments, and
// the packed copies that products read.
//
// Outside training a linear weight is held once. On the CPU its plain values are given up when it
// is packed, since the packed copy holds the same ones. A card that computes in bf16 has of a
// weight from a file only the rounded copy that products read; what it was before comes from the
// file again. Whoever needs plain values calls restore() or read() first.
//
// Of a model that encodes in bytes the weights of the blocks are held in 7 bits alone
// (ops/quantized.h): nothing brings back what they were.
//
// Freezing is settled here: a frozen parameter has no gradient, and a layer asks nothing else.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "../ops/quantized.h"
#include "carried.h"
#include "training_state.h"

namespace inbatch {

// Where the values of a weight lie beside this memory.
struct WeightSource {
  virtual ~WeightSource() = default;
  // Its elements from `first` on as f32; throws when they may be no longer what they were.
  virtual void read(int64_t first, int64_t count, float* to) const = 0;
};

// The elements of a parameter from `at` on are all those of a source.
struct Origin {
  int64_t at = 0, count = 0;
  std::shared_ptr<const WeightSource> source;
};

struct Parameter {
  std::string name;
  int64_t rows = 0, cols = 0;
  bool decay = false;   // matrices decay; biases and norms do not
  bool linear = false;  // has packed copies
  bool trainable = true;
  // Value holds the weights; otherwise only packed or quantized does, of a card also the origins.
  bool plain = true;
  bool quantizable = false;
  Type type = Type::F32;  // of its packed copies
  int64_t at = 0;         // place in the flat memory of gradients and moments, in elements
  Tensor value, gradient, packed, packed_transposed;  // no value: nobody has asked for it yet
  std::vector<Origin> origins;  // of what packed holds rounded; a later one replaces what it meets
  std::vector<int64_t> parts;   // elements of each matrix that it is stacked from; or empty
  TrainingState state;
  CarriedRows carried;
  QuantizedPack quantized;  // of a model in bytes; otherwise its tensors are empty

  bool in_bytes() const { return !quantized.packed.empty(); }
  // The packed copy where it is the weight itself, row by row, in 16 bits; otherwise empty.
  Tensor rounded() const {
    if (packed.type != Type::BF16) return {};
    return {packed.data, 1, value.size(), packed.type, packed.place};
  }
};

// Memory for a number of floats. Of this machine it is zeros at first; of a card it is undefined.
class Flat {
 public:
  explicit Flat(MemorySource& source = host_memory()) : source_(source) {}
  ~Flat() { give_back(); }
  Flat(const Flat&) = delete;
  Flat& operator=(const Flat&) = delete;
  // Memory of another size is given back first.
  void allocate(int64_t elements);
  int64_t size() const { return int64_t(bytes_ / sizeof(float)); }
  bool empty() const { return data_ == nullptr; }
  Tensor view(int64_t at, int64_t rows, int64_t cols, Type type = Type::F32) const;
  // Gives pages of this machine back; they read as zeros until they are written again.
  void drop() { drop_pages(data_, bytes_); }

 private:
  void give_back();

  MemorySource& source_;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

class Parameters {
 public:
  // Of a device with this memory, whose products are of this type: f32, or on a card bf16.
  explicit Parameters(MemorySource& memory = host_memory(), Type type = Type::F32)
      : memory_(memory), type_(type) {}
  MemorySource& memory() const { return memory_; }
  Type type() const { return type_; }

  // What the names of parameters declared from here on begin with.
  void begin_part(const std::string& prefix) { prefix_ = prefix; }
  // Declares a parameter; its memory comes with allocate(). A name declared again with the same
  // shape is the same parameter: two layers share it.
  Parameter* declare(const std::string& name, int64_t rows, int64_t cols, bool linear);
  void allocate();
  // Memory for gradients and for what the settings ask to keep, all of it zeros but for means of
  // weights, which begin as these; parameters named in `frozen` get none.
  void prepare_training(const Stream& stream, const std::unordered_set<std::string>& frozen,
                        const TrainingSettings& settings = {});
  // From the next pack() on quantizable weights are held in 7 bits.
  void use_bytes();
  // What prepare_training() would make of the memory, in bytes.
  TrainingMemory training_memory(const std::unordered_set<std::string>& frozen,
                                 const TrainingSettings& settings) const;
  bool is_training() const { return !gradients_.empty(); }
  Optimizer optimizer() const { return optimizer_; }

  Parameter& find(const std::string& name);
  std::deque<Parameter>& all() { return all_; }
  // Refreshes the packed copies of every linear weight. `seen` gets each parameter by its number
  // while its plain values are there; several threads call it.
  void pack(const Stream& stream, const std::function<void(int64_t, const Parameter&)>& seen = {});
  // Refreshes those of one. `rounded`: the first copy is fresh, as an optimizer wrote it.
  void refresh(const Stream& stream, Parameter& parameter, bool rounded = false);
  // Makes value hold the weights.
  void restore(const Stream& stream, Parameter& parameter);
  // Whether the weight is held as its rounded copy alone, which whoever loads it fills. He says
  // with came_from() what it was before.
  bool is_rounded(const Parameter& parameter) const;
  void came_from(Parameter& parameter, Origin origin) const;
  // The rows of a weight from `row` on, without restoring it, in the memory of this machine once
  // stream.wait() returns.
  void read(const Stream& stream, const Parameter& parameter, int64_t row, Tensor rows) const;
  void zero_gradients(const Stream& stream);
  // Adds the rows that wait; gradients are read after it.
  void finish_gradients(const Stream& stream);
  void forget_carried();
  // The gradients of all parameters, end to end.
  Tensor gradients() const { return gradients_.view(0, 1, size_); }
  int64_t size() const { return size_; }
  int64_t bytes() const;

 private:
  void hold_linear();
  void fill_from_origins(const Stream& stream, Parameter& parameter) const;
  void give_places(const TrainingSettings& settings);
  void carry_rows();
  void begin_averages(const Stream& stream);
  void zero(const Stream& stream, const Flat& flat) const;

  std::deque<Parameter> all_;
  std::unordered_map<std::string, Parameter*> by_name_;
  std::string prefix_;
  int64_t size_ = 0;
  Optimizer optimizer_ = Optimizer::AdamW;
  MemorySource& memory_;
  Type type_;
  Flat weights_{memory_}, linear_{memory_}, gradients_{memory_}, carried_{memory_}, state_{memory_},
      packed_{memory_}, packed_transposed_{memory_}, quantized_{memory_};
};

}  // namespace inbatch
