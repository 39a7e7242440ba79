// A model as JavaScript holds it. See model.h.
#include "model.h"

#include <cstring>

#include "convert.h"
#include "device.h"
#include "file.h"
#include "model_core.h"

namespace inbatch {

namespace {

using Core = std::shared_ptr<ModelCore>;

// visit(name, tensor) for the weight, the gradient and each part of the state that is there.
template <class F>
void for_each_part(const Parameter& parameter, const F& visit) {
  visit("weight", parameter.value);
  if (!parameter.gradient.empty()) visit("gradient", parameter.gradient);
  const auto one = [&](auto field) {
    const Tensor& tensor = parameter.state.*field.member;
    if (!tensor.empty()) visit(field.name, tensor);
  };
  std::apply([&](auto... field) { (one(field), ...); }, TrainingState::fields());
}

// Of a weight its extents: where it lies is settled in the order of the jobs.
Tensor part_of(const Parameter& parameter, const std::string& part) {
  if (part == "weight") return {nullptr, parameter.rows, parameter.cols, Type::F32};
  Tensor found;
  std::string known;
  for_each_part(parameter, [&](const char* name, const Tensor& tensor) {
    if (part == name) found = tensor;
    known += (known.empty() ? "" : ", ") + std::string(name);
  });
  if (!found.empty()) return found;
  throw Error("OP_INVALID",
              "model: expected one of " + known + " of " + parameter.name + ", got " + part);
}

Napi::Value state_of(Napi::Env env, const Parameter& parameter) {
  const auto list = Napi::Array::New(env);
  const auto one = [&](auto field) {
    const Tensor& tensor = parameter.state.*field.member;
    if (tensor.empty()) return;
    const auto entry = Napi::Object::New(env);
    entry.Set("part", field.name);
    entry.Set("rows", double(tensor.rows));
    entry.Set("columns", double(tensor.cols));
    entry.Set("type", name_of(tensor.type));
    list.Set(list.Length(), entry);
  };
  std::apply([&](auto... field) { (one(field), ...); }, TrainingState::fields());
  return list;
}

Type computed_in(Napi::Value value, Place place) {
  if (value.IsUndefined()) return Type::F32;
  const Type type = type_of(argument<std::string>("model", value));
  if (type == Type::F32 || (type == Type::BF16 && place == Place::Cuda)) return type;
  throw Error(
      "DTYPE_UNSUPPORTED",
      std::string("model: expected to compute in f32, or on a card in bf16, got ") + name_of(type));
}

}  // namespace

void ModelHandle::define(Napi::Env env, Napi::Object exports) {
  using H = ModelHandle;
  exports.Set("Model", DefineClass(env, "Model",
                                   {InstanceMethod<&H::parameters>("parameters"),
                                    InstanceMethod<&H::load>("load"),
                                    InstanceMethod<&H::write>("write"),
                                    InstanceMethod<&H::read>("read"),
                                    InstanceMethod<&H::pack>("pack"),
                                    InstanceMethod<&H::encode>("encode"),
                                    InstanceMethod<&H::prepare_training>("prepareTraining"),
                                    InstanceMethod<&H::training_memory>("trainingMemory"),
                                    InstanceMethod<&H::forward>("forward"),
                                    InstanceMethod<&H::backward>("backward"),
                                    InstanceMethod<&H::zero_gradients>("zeroGradients"),
                                    InstanceMethod<&H::squares>("squares"),
                                    InstanceMethod<&H::update>("update"),
                                    InstanceMethod<&H::exchange_averages>("exchangeAverages"),
                                    InstanceMethod<&H::perturb>("perturb"),
                                    InstanceMethod<&H::undo_perturb>("undoPerturb"),
                                    InstanceMethod<&H::hold_gradients>("holdGradients"),
                                    InstanceMethod<&H::return_gradients>("returnGradients"),
                                    InstanceMethod<&H::statistics>("statistics"),
                                    InstanceMethod<&H::dispose>("dispose")}));
}

// new Model(device, spec, spec of the documents' tower, if they have one of their own, "f32" or on
// a card "bf16", what is computed in: f32)
ModelHandle::ModelHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ModelHandle>(info) {
  guarded(info.Env(), [&]() -> Napi::Value {
    lane_ = DeviceHandle::from(info[0])->lane();
    ModelSpec spec;
    inbatch::read(Reading{"spec", nullptr}, info[1], spec);
    std::optional<ModelSpec> document;
    if (!info[2].IsUndefined()) {
      inbatch::read(Reading{"document", nullptr}, info[2], document.emplace());
    }
    core_ = std::make_shared<ModelCore>(spec, document, lane_->engine.source(),
                                        computed_in(info[3], lane_->engine.source().place()));
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

// parameters(): [{name, rows, columns, decay, trained, state: [{part, rows, columns, type}]}]
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
      entry.Set("state", state_of(info.Env(), p));
      list.Set(index++, entry);
    }
    return list;
  });
}

// How many rows of a part, from a number on, a typed array has elements for.
int64_t rows_for(const char* where, const Tensor& part, int64_t row, Napi::Value array) {
  const bool is_bytes = part.type == Type::U8;
  const bool fits = array.IsTypedArray() && array.As<Napi::TypedArray>().TypedArrayType() ==
                                                (is_bytes ? napi_uint8_array : napi_float32_array);
  if (!fits) refuse(where, is_bytes ? "expected a Uint8Array" : "expected a Float32Array");
  const auto bytes = int64_t(array.As<Napi::TypedArray>().ByteLength());
  const int64_t width = std::max<int64_t>(part.cols * width_of(part.type), 1);
  expect(bytes % width == 0, where, "expected whole rows");
  const int64_t rows = bytes / width;
  expect(row >= 0 && row <= part.rows - rows, "model",
         "expected rows within " + std::to_string(part.rows));
  return rows;
}

// write(part, name, row, typed array): rows of a weight or of state; pack() afterwards.
Napi::Value ModelHandle::write(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("write");
    Parameter& parameter = model->parameters.find(argument<std::string>("write", info[1]));
    const Tensor part = part_of(parameter, argument<std::string>("write", info[0]));
    const int64_t row = argument<int64_t>("write", info[2]);
    const int64_t rows = rows_for("write", part, row, info[3]);
    const Bytes bytes = bytes_of("write", info[3], rows * part.cols * width_of(part.type));
    const auto* begin = static_cast<const char*>(bytes.data);
    auto copy = std::make_shared<std::vector<char>>(begin, begin + bytes.size);
    queue(info, [model, &parameter, part, row, rows, copy](const Stream& stream) {
      model->parameters.restore(stream, parameter);
      const Tensor& whole = part.empty() ? parameter.value : part;
      stream.upload(whole.slice(row, rows).data, copy->data(), copy->size());
    });
    return info.Env().Undefined();
  });
}

// read(part, name, row, typed array): fills the array.
Napi::Value ModelHandle::read(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("read");
    Parameter& parameter = model->parameters.find(argument<std::string>("read", info[1]));
    const Tensor part = part_of(parameter, argument<std::string>("read", info[0]));
    const int64_t row = argument<int64_t>("read", info[2]);
    const int64_t rows = rows_for("read", part, row, info[3]);
    const Bytes bytes = bytes_of("read", info[3], rows * part.cols * width_of(part.type));
    auto job = std::make_unique<Job>();
    job->held.push_back(Napi::Persistent(info[3].As<Napi::Object>()));
    job->work = [model, &parameter, part, row, rows, bytes](const Stream& stream) {
      if (part.empty()) {
        const Tensor to{bytes.data, rows, part.cols, Type::F32, Place::Cpu};
        model->parameters.read(stream, parameter, row, to);
      } else {
        model->parameters.finish_gradients(stream);
        stream.download(bytes.data, part.slice(row, rows).data, bytes.size);
      }
      stream.wait();
    };
    return await(info, std::move(job));
  });
}

struct EncodeSettings {
  int64_t dimensions = 0;  // 0: all
  std::optional<bool> normalize;
  int64_t tower = 0;

  static constexpr auto fields() {
    using S = EncodeSettings;
    return std::tuple{field("dimensions", &S::dimensions), field("normalize", &S::normalize),
                      field("tower", &S::tower)};
  }
};

// Calls the pass; where memory is too short for it, the error says what makes it smaller.
template <class Pass>
int64_t run_pass(const Pass& pass) {
  try {
    return pass();
  } catch (const Error& error) {
    if (error.code() != "OUT_OF_MEMORY") throw;
    const std::string advice = "; lower the tokens of one pass (chunkTokens, batchTokens)";
    throw Error(error.code(), error.what() + advice);
  }
}

// encode({ids, offsets}, {dimensions, normalize, tower}, Float32Array, canceller): fills the array
// with embeddings (N, dimensions); resolves to the first row that is not finite, or -1. What is
// given the same canceller is of one call, whose parts keep their order.
Napi::Value ModelHandle::encode(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("encode");
    EncodeSettings settings;
    inbatch::read(Reading{"encode", nullptr}, info[1], settings);
    Encoder& tower = model->tower(settings.tower);
    const auto batch = batch_of(tower, info[0]);
    const int64_t rows = tower.rows(batch->view()), width = tower.width();
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
    const Tensor out{bytes.data, rows, columns, Type::F32, Place::Cpu};
    job->work = [self = job.get(), model, &tower, batch, out, settings,
                 first = int64_t(0)](const Stream& stream) mutable {
      const Batch texts = batch->view();
      first = run_pass([&] { return tower.encode(stream, texts, out, settings.normalize, first); });
      self->has_more = first < texts.size();
    };
    job->finish = [out, broken] {
      const int64_t at = first_not_finite(out.f32(), out.size());
      if (at >= 0) *broken = at / out.cols;
    };
    job->result = [broken](Napi::Env env) { return Napi::Number::New(env, double(*broken)); };
    return await(info, std::move(job));
  });
}

// statistics(): {parameterBytes, savedPeak, allocations, recordings}
Napi::Value ModelHandle::statistics(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("statistics");
    const auto object = Napi::Object::New(info.Env());
    object.Set("parameterBytes", double(model->parameters.bytes()));
    object.Set("savedPeak", double(model->saved_memory.peak()));
    object.Set("recordings", double(model->recorded()));
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
