// A model as JavaScript holds it. See model.h.
#include "model.h"

#include <cstring>
#include <unordered_set>

#include "../model/optimizer.h"
#include "convert.h"
#include "device.h"
#include "file.h"
#include "model_core.h"

namespace inbatch {

namespace {

using Core = std::shared_ptr<ModelCore>;

struct PassSettings {
  int64_t seed = 0, step = 0;
  float hidden = 0, attention = 0;
  bool keep = false, recompute = false;

  static constexpr auto fields() {
    using S = PassSettings;
    return std::tuple{field("seed", &S::seed),     field("step", &S::step),
                      field("hidden", &S::hidden), field("attention", &S::attention),
                      field("keep", &S::keep),     field("recompute", &S::recompute)};
  }
};

std::shared_ptr<OwnedBatch> batch_of(const Core& core, Napi::Value value) {
  auto batch = read_batch(value);
  core->encoder.check(batch->view());
  return batch;
}

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

Tensor* part_of(Parameter& parameter, const std::string& part) {
  if (part == "weight") return &parameter.value;
  Tensor* found = part == "gradient" ? &parameter.gradient
                  : part == "first"  ? &parameter.first
                  : part == "second" ? &parameter.second
                                     : nullptr;
  if (!found || found->empty()) {
    throw Error("OP_INVALID",
                "model: expected weight, or gradient, first or second of a trained "
                "parameter, got " +
                    part + " of " + parameter.name);
  }
  return found;
}

Tensor rows_of(const Tensor& tensor, int64_t row, int64_t rows) {
  expect(row >= 0 && rows >= 0 && row <= tensor.rows - rows, "model",
         "expected rows within " + std::to_string(tensor.rows));
  return tensor.slice(row, rows);
}

}  // namespace

void ModelHandle::define(Napi::Env env, Napi::Object exports) {
  using H = ModelHandle;
  exports.Set(
      "Model",
      DefineClass(
          env, "Model",
          {InstanceMethod<&H::parameters>("parameters"), InstanceMethod<&H::load>("load"),
           InstanceMethod<&H::write>("write"), InstanceMethod<&H::read>("read"),
           InstanceMethod<&H::pack>("pack"), InstanceMethod<&H::encode>("encode"),
           InstanceMethod<&H::prepare_training>("prepareTraining"),
           InstanceMethod<&H::forward>("forward"), InstanceMethod<&H::backward>("backward"),
           InstanceMethod<&H::zero_gradients>("zeroGradients"),
           InstanceMethod<&H::update>("update"), InstanceMethod<&H::squares>("squares"),
           InstanceMethod<&H::statistics>("statistics"), InstanceMethod<&H::dispose>("dispose")}));
}

// new Model(device, spec)
ModelHandle::ModelHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ModelHandle>(info) {
  guarded(info.Env(), [&]() -> Napi::Value {
    lane_ = DeviceHandle::from(info[0])->lane();
    ModelSpec spec;
    inbatch::read(Reading{"spec", nullptr}, info[1], spec);
    core_ = std::make_shared<ModelCore>(spec);
    return info.Env().Undefined();
  });
}

Core ModelHandle::core(const char* where) const {
  if (core_) return core_;
  throw Error("DISPOSED",
              std::string(where) + ": expected a model in use, got one that was disposed");
}

Napi::Value ModelHandle::await(Info info, std::unique_ptr<Job> job) {
  return Environment::of(info.Env()).await(info.Env(), lane_, std::move(job));
}

void ModelHandle::queue(Info info, std::function<void(const Stream&)> work, Napi::Value canceller) {
  auto job = std::make_unique<Job>();
  job->work = std::move(work);
  if (!canceller.IsEmpty()) job->cancelled = flag_of(canceller);
  Environment::of(info.Env()).queue(lane_, std::move(job));
}

// parameters(): [{name, rows, columns, decay, trained, moments}]
Napi::Value ModelHandle::parameters(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto& all = core("parameters")->parameters.all();
    const auto list = Napi::Array::New(info.Env(), all.size());
    uint32_t index = 0;
    for (const Parameter& p : all) {
      const auto entry = Napi::Object::New(info.Env());
      entry.Set("name", p.name);
      entry.Set("rows", double(p.rows));
      entry.Set("columns", double(p.cols));
      entry.Set("decay", p.decay);
      entry.Set("trained", !p.gradient.empty());
      entry.Set("moments", (p.first.empty() ? 0 : 1) + (p.second.empty() ? 0 : 1));
      list.Set(index++, entry);
    }
    return list;
  });
}

// load(path, [{name, at, count, offset, type, tensor}]): fills elements of parameters from a file.
// Values that are not finite are refused by the tensor's name.
Napi::Value ModelHandle::load(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    struct Part {
      Parameter* parameter;
      float* to;
      int64_t count;
      uint64_t offset;
      Type type;
      std::string tensor;
    };
    const Core model = core("load");
    const auto path = argument<std::string>("load", info[0]);
    std::vector<Part> parts;
    for (const auto& part : argument<std::vector<PartToLoad>>("load", info[1])) {
      Parameter& p = model->parameters.find(part.name);
      expect(part.at >= 0 && part.count >= 0 && part.at <= p.value.size() - part.count, "load",
             "expected elements within " + p.name);
      expect(part.offset >= 0, "load", "expected an offset of 0 or more");
      parts.push_back({&p, p.value.f32() + part.at, part.count, uint64_t(part.offset),
                       type_of(part.type), part.tensor.empty() ? part.name : part.tensor});
    }
    auto job = std::make_unique<Job>();
    job->cancelled = flag_of(info[2]);
    job->work = [model, path, parts = std::move(parts)](const Stream& stream) {
      const WeightFile file(path);
      for (const Part& part : parts) model->parameters.restore(stream, *part.parameter);
      stream.parallel_for(int64_t(parts.size()), [&](int64_t i, int) {
        const Part& part = parts[size_t(i)];
        file.read(part.offset, part.type, part.to, part.count);
        file.expect_finite(part.tensor, part.to, part.count);
      });
    };
    return await(info, std::move(job));
  });
}

// write(part, name, row, Float32Array): rows of a weight or a moment; pack() afterwards.
Napi::Value ModelHandle::write(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("write");
    Parameter& parameter = model->parameters.find(argument<std::string>("write", info[1]));
    const Tensor* tensor = part_of(parameter, argument<std::string>("write", info[0]));
    const auto values = floats("write", info[3]);
    expect(values.ElementLength() % size_t(tensor->cols) == 0, "write", "expected whole rows");
    const Tensor to = rows_of(*tensor, argument<int64_t>("write", info[2]),
                              int64_t(values.ElementLength()) / tensor->cols);
    auto copy =
        std::make_shared<std::vector<float>>(values.Data(), values.Data() + values.ElementLength());
    queue(info, [model, &parameter, to, copy](const Stream& stream) {
      model->parameters.restore(stream, parameter);
      std::memcpy(to.data, copy->data(), size_t(to.bytes()));
    });
    return info.Env().Undefined();
  });
}

// read(part, name, row, Float32Array): fills the array.
Napi::Value ModelHandle::read(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("read");
    Parameter& parameter = model->parameters.find(argument<std::string>("read", info[1]));
    const Tensor* tensor = part_of(parameter, argument<std::string>("read", info[0]));
    const auto values = floats("read", info[3]);
    const int64_t row = argument<int64_t>("read", info[2]);
    const Tensor from =
        rows_of(*tensor, row, int64_t(values.ElementLength()) / std::max<int64_t>(tensor->cols, 1));
    const Bytes bytes = bytes_of("read", info[3], from.bytes());
    auto job = std::make_unique<Job>();
    job->held.push_back(Napi::Persistent(info[3].As<Napi::Object>()));
    const bool is_weight = tensor == &parameter.value;
    job->work = [model, &parameter, is_weight, row, from, bytes](const Stream& stream) {
      if (!is_weight) {
        std::memcpy(bytes.data, from.data, bytes.size);
        return;
      }
      const Tensor to{bytes.data, from.rows, from.cols, Type::F32, Place::Cpu};
      model->parameters.read(stream, parameter, row, to);
    };
    return await(info, std::move(job));
  });
}

// pack(): refreshes what products read, after load or write; resolves to a fingerprint of all
// values.
Napi::Value ModelHandle::pack(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto job = std::make_unique<Job>();
    auto fingerprint = std::make_shared<uint64_t>(0);
    job->work = [model = core("pack"), fingerprint](const Stream& stream) {
      std::vector<uint64_t> hashes(model->parameters.all().size());
      model->parameters.pack(stream, [&](int64_t i, const Parameter& p) {
        hashes[size_t(i)] = hash_of(p.value.f32(), p.value.size());
      });
      for (const uint64_t hash : hashes) *fingerprint = mix64(*fingerprint ^ hash);
    };
    job->result = [fingerprint](Napi::Env env) {
      return Napi::String::New(env, hex_of(*fingerprint));
    };
    return await(info, std::move(job));
  });
}

struct EncodeSettings {
  int64_t dimensions = 0;  // 0: all
  std::optional<bool> normalize;

  static constexpr auto fields() {
    using S = EncodeSettings;
    return std::tuple{field("dimensions", &S::dimensions), field("normalize", &S::normalize)};
  }
};

// encode({ids, offsets}, {dimensions, normalize}, Float32Array, canceller): fills the array with
// embeddings (N, dimensions); resolves to the first row that is not finite, or -1. What is given
// the same canceller is of one call, whose parts keep their order.
Napi::Value ModelHandle::encode(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("encode");
    const auto batch = batch_of(model, info[0]);
    EncodeSettings settings;
    inbatch::read(Reading{"encode", nullptr}, info[1], settings);
    const int64_t rows = model->encoder.rows(batch->view()), width = model->encoder.width();
    const int64_t columns = settings.dimensions ? settings.dimensions : width;
    expect(columns > 0 && columns <= width, "encode",
           "expected at most " + std::to_string(width) + " dimensions, got " +
               std::to_string(columns));
    const Bytes bytes = bytes_of("encode", info[2], rows * columns * int64_t(sizeof(float)));
    auto job = std::make_unique<Job>();
    job->cancelled = flag_of(info[3]);
    job->call = job->cancelled.get();
    job->held.push_back(Napi::Persistent(info[2].As<Napi::Object>()));
    auto broken = std::make_shared<int64_t>(-1);
    job->work = [self = job.get(), model, batch, bytes, rows, columns, settings, broken,
                 first = int64_t(0)](const Stream& stream) mutable {
      const Tensor out{bytes.data, rows, columns, Type::F32, Place::Cpu};
      const Batch texts = batch->view();
      first = model->encoder.encode(stream, texts, out, settings.normalize, first);
      self->has_more = first < texts.size();
      if (self->has_more) return;
      const int64_t at = first_not_finite(out.f32(), out.size());
      if (at >= 0) *broken = at / columns;
    };
    job->result = [broken](Napi::Env env) { return Napi::Number::New(env, double(*broken)); };
    return await(info, std::move(job));
  });
}

// prepareTraining([names of frozen parameters], whether second moments are wanted: true)
Napi::Value ModelHandle::prepare_training(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("prepareTraining");
    std::vector<std::string> names;
    inbatch::read(Reading{"frozen", nullptr}, info[0], names);
    for (const std::string& name : names) model->parameters.find(name);
    const bool second = info[1].IsUndefined() || argument<bool>("second", info[1]);
    model->parameters.prepare_training({names.begin(), names.end()}, second);
    auto job = std::make_unique<Job>();
    job->work = [model](const Stream& stream) {
      model->parameters.zero_moments(stream);
      model->parameters.pack(stream);
    };
    return await(info, std::move(job));
  });
}

// forward({ids, offsets, texts}, {seed, step, hidden, attention, keep, recompute}, Tensor,
// canceller): queued. With keep, the pass waits for backward().
Napi::Value ModelHandle::forward(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("forward");
    const auto batch = batch_of(model, info[0]);
    PassSettings settings;
    inbatch::read(Reading{"forward", nullptr}, info[1], settings);
    const Held* out = held_of(info[2]);
    if (!out) refuse("forward", "expected a tensor for the embeddings");
    expect_type("forward", "embeddings", out->tensor, Type::F32);
    expect_shape("forward", "embeddings", out->tensor, model->encoder.rows(batch->view()),
                 model->encoder.width());
    queue(
        info,
        [model, batch, settings, held = *out](const Stream& stream) {
          const RandomKey key{uint32_t(settings.seed), uint32_t(settings.step)};
          const DropoutRates dropout{settings.hidden, settings.attention};
          Arena* saved = settings.keep ? &model->saved_memory : nullptr;
          Pass pass{stream, batch->view(), saved, key, dropout, settings.recompute};
          model->forward(pass, batch, held.tensor);
        },
        info[3]);
    return info.Env().Undefined();
  });
}

// backward(Tensor, canceller): the gradient of the embeddings of the pass that waits; queued.
Napi::Value ModelHandle::backward(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("backward");
    const Held* gradient = held_of(info[0]);
    if (!gradient) refuse("backward", "expected a tensor of gradients");
    queue(
        info,
        [model, held = *gradient](const Stream& stream) {
          if (!model->batch) {
            throw Error("INTERNAL", "backward: expected a forward pass that was kept");
          }
          model->pass.stream = stream;
          model->encoder.backward(model->pass, held.tensor, model->saved);
          model->batch.reset();
        },
        info[1]);
    return info.Env().Undefined();
  });
}

// zeroGradients(): queued; also forgets a pass that waits.
Napi::Value ModelHandle::zero_gradients(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("zeroGradients");
    expect(model->parameters.is_training(), "zeroGradients", "expected prepareTraining() before");
    queue(info, [model](const Stream& stream) {
      model->forget();
      model->parameters.zero_gradients(stream);
    });
    return info.Env().Undefined();
  });
}

// update({rate, beta1, …, clip, step}, [{value, gradient, first, second}], canceller): the norm of
// all gradients. Once begun it is not cancelled: half an update would be a broken model.
Napi::Value ModelHandle::update(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    struct Extra {
      Tensor value, gradient, first, second;
      static constexpr auto fields() {
        return std::tuple{field("value", &Extra::value), field("gradient", &Extra::gradient),
                          field("first", &Extra::first), field("second", &Extra::second)};
      }
    };
    const Core model = core("update");
    OptimizerSettings settings;
    inbatch::read(Reading{"update", nullptr}, info[0], settings);
    std::vector<std::shared_ptr<Memory::Block>> blocks;
    std::vector<Extra> given;
    inbatch::read(Reading{"extras", &blocks}, info[1], given);
    std::vector<ExtraParameter> extras;
    for (const Extra& e : given) extras.push_back({e.value, e.gradient, e.first, e.second});
    auto job = std::make_unique<Job>();
    auto norm = std::make_shared<double>(0);
    job->cancelled = flag_of(info[2]);
    job->work = [model, settings, extras, blocks, norm](Stream stream) {
      stream.cancelled = nullptr;
      *norm = inbatch::update(stream, model->parameters, settings, extras);
    };
    job->result = [norm](Napi::Env env) { return Napi::Number::New(env, *norm); };
    return await(info, std::move(job));
  });
}

// statistics(): {parameters, savedPeak, allocations}
Napi::Value ModelHandle::statistics(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("statistics");
    const auto object = Napi::Object::New(info.Env());
    object.Set("parameterBytes", double(model->parameters.bytes()));
    object.Set("savedPeak", double(model->saved_memory.peak()));
    object.Set("allocations", double(model->saved_memory.allocations()));
    return object;
  });
}

// dispose(): resolves when the work in flight is done; the memory is then free.
Napi::Value ModelHandle::dispose(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto job = std::make_unique<Job>();
    job->work = [model = std::move(core_)](const Stream&) mutable { model.reset(); };
    core_.reset();
    return await(info, std::move(job));
  });
}

}  // namespace inbatch
