// How weights come from files, and what tells them apart. See model.h.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "convert.h"
#include "device.h"
#include "file.h"
#include "model.h"
#include "model_core.h"

namespace inbatch {

namespace {

using Core = std::shared_ptr<ModelCore>;
using File = std::shared_ptr<const WeightFile>;

// What load() is told about elements of a parameter. `tensor` is their name in the file.
struct PartToLoad {
  std::string name, type, tensor;
  int64_t at = 0, count = 0, offset = 0;

  static constexpr auto fields() {
    using S = PartToLoad;
    return std::tuple{field("name", &S::name),     field("type", &S::type),
                      field("at", &S::at),         field("count", &S::count),
                      field("offset", &S::offset), field("tensor", &S::tensor)};
  }
};

struct Part {
  Parameter* parameter;
  int64_t at, count;
  uint64_t offset;
  Type type;
  std::string tensor;
};

Part part_of(Parameters& parameters, const PartToLoad& part) {
  Parameter& p = parameters.find(part.name);
  expect(part.at >= 0 && part.count >= 0 && part.at <= p.rows * p.cols - part.count, "load",
         "expected elements within " + p.name);
  expect(part.offset >= 0, "load", "expected an offset of 0 or more");
  const Type type = type_of(part.type);
  expect(type != Type::I32 && type != Type::U8, "load", "expected a type of real numbers");
  const std::string& tensor = part.tensor.empty() ? part.name : part.tensor;
  return {&p, part.at, part.count, uint64_t(part.offset), type, tensor};
}

// A tensor of a file that stays open, to be read again when its values are asked for.
class TensorOfFile final : public WeightSource {
 public:
  TensorOfFile(File file, uint64_t offset, Type type)
      : file_(std::move(file)), offset_(offset), type_(type) {}
  void read(int64_t first, int64_t count, float* to) const override {
    file_->read(offset_ + uint64_t(first * width_of(type_)), type_, to, count);
    file_->expect_unchanged();
  }

 private:
  File file_;
  uint64_t offset_;
  Type type_;
};

// What a card gets goes there in chunks, so that little is held here.
constexpr int64_t kChunk = 1 << 18;

// visit(first element, count) for all of a part.
template <class F>
void in_chunks(const Stream& stream, const Part& part, const F& visit) {
  for (int64_t at = 0; at < part.count; at += kChunk) {
    if (stream.is_cancelled()) throw Cancelled();
    visit(at, std::min(kChunk, part.count - at));
  }
}

std::vector<float> read_values(const WeightFile& file, const Part& part, int64_t first,
                               int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  const auto skipped = uint64_t(first * width_of(part.type));
  file.read(part.offset + skipped, part.type, values.data(), count);
  file.expect_finite(part.tensor, values.data(), count, first);
  return values;
}

void load_plain(const Stream& stream, const WeightFile& file, const Part& part) {
  in_chunks(stream, part, [&](int64_t first, int64_t count) {
    const std::vector<float> values = read_values(file, part, first, count);
    float* to = part.parameter->value.f32() + part.at + first;
    stream.upload(to, values.data(), values.size() * sizeof(float));
  });
}

// The copy that products read, and the hash of what it was before it was rounded. What the file
// holds in bf16 goes there as it is.
void load_rounded(const Stream& stream, const WeightFile& file, const Part& part, ValueHash* hash) {
  const Parameter& p = *part.parameter;
  const int64_t size = p.rows * p.cols;
  bf16* to = p.packed.as<bf16>();
  if (part.at == 0) stream.clear(to + size, size_t(p.packed.size() - size) * sizeof(bf16));
  in_chunks(stream, part, [&](int64_t first, int64_t count) {
    std::vector<bf16> halves(static_cast<size_t>(count));
    const size_t bytes = halves.size() * sizeof(bf16);
    if (part.type == Type::BF16) {
      file.read(part.offset + uint64_t(first) * sizeof(bf16), halves.data(), bytes);
      file.expect_finite(part.tensor, halves.data(), count, first);
      if (hash) hash->add(halves.data(), count);
    } else {
      const std::vector<float> values = read_values(file, part, first, count);
      std::transform(values.begin(), values.end(), halves.begin(), [](float x) { return bf16(x); });
      if (hash) hash->add(values.data(), count);
    }
    stream.upload(to + part.at + first, halves.data(), bytes);
  });
}

void load_on_card(const Stream& stream, ModelCore& model, const File& file, const Part& part) {
  Parameter& p = *part.parameter;
  if (!model.parameters.is_rounded(p)) {
    model.parameters.restore(stream, p);
    return load_plain(stream, *file, part);
  }
  ValueHash& known = model.hashes[&p];
  if (part.at == 0) known = {};
  const bool follows = known.count() == part.at;
  if (!follows) known = {};
  load_rounded(stream, *file, part, follows ? &known : nullptr);
  auto source = std::make_shared<TensorOfFile>(file, part.offset, part.type);
  model.parameters.came_from(p, {part.at, part.count, std::move(source)});
}

// Of the plain values, which a card may hold, or may leave where they came from.
uint64_t fingerprint_of(const Stream& stream, ModelCore& model, const Parameter& p) {
  if (p.origins.empty() && p.value.place == Place::Cpu) {
    return hash_of(p.value.f32(), p.value.size());
  }
  const auto known = model.hashes.find(&p);
  const bool is_known = known != model.hashes.end() && known->second.count() == p.value.size();
  if (!p.origins.empty() && is_known) return known->second.value();
  std::vector<float> values(size_t(p.value.size()));
  const Tensor all{values.data(), p.rows, p.cols, Type::F32, Place::Cpu};
  model.parameters.read(stream, p, 0, all);
  stream.wait();
  return hash_of(values.data(), all.size());
}

}  // namespace

// load(path, [{name, at, count, offset, type, tensor}]): fills elements of parameters from a file.
// Values that are not finite are refused by the tensor's name.
Napi::Value ModelHandle::load(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("load");
    const auto path = argument<std::string>("load", info[0]);
    std::vector<Part> parts;
    for (const auto& part : argument<std::vector<PartToLoad>>("load", info[1])) {
      parts.push_back(part_of(model->parameters, part));
    }
    auto job = std::make_unique<Job>();
    job->cancelled = flag_of(info[2]);
    job->work = [model, path, parts = std::move(parts)](const Stream& stream) {
      const auto file = std::make_shared<const WeightFile>(path);
      if (stream.card) {
        for (const Part& part : parts) load_on_card(stream, *model, file, part);
        return;
      }
      for (const Part& part : parts) model->parameters.restore(stream, *part.parameter);
      stream.parallel_for(int64_t(parts.size()), [&](int64_t i, int) {
        const Part& part = parts[size_t(i)];
        float* to = part.parameter->value.f32() + part.at;
        file->read(part.offset, part.type, to, part.count);
        file->expect_finite(part.tensor, to, part.count);
      });
    };
    return await(info, std::move(job));
  });
}

// pack(whether weights go into bytes: false): refreshes what products read, after load or write;
// resolves to a fingerprint of all values.
Napi::Value ModelHandle::pack(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto job = std::make_unique<Job>();
    auto fingerprint = std::make_shared<uint64_t>(0);
    const bool bytes = !info[0].IsUndefined() && argument<bool>("bytes", info[0]);
    job->work = [model = core("pack"), fingerprint, bytes](const Stream& stream) {
      if (bytes) model->parameters.use_bytes();
      std::vector<uint64_t> hashes(model->parameters.all().size());
      model->parameters.pack(stream, [&](int64_t i, const Parameter& p) {
        hashes[size_t(i)] = fingerprint_of(stream, *model, p);
      });
      for (const uint64_t hash : hashes) *fingerprint = mix64(*fingerprint ^ hash);
    };
    job->result = [fingerprint](Napi::Env env) {
      return Napi::String::New(env, hex_of(*fingerprint));
    };
    return await(info, std::move(job));
  });
}

}  // namespace inbatch
