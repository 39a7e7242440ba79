// The training of a model as JavaScript asks for it: passes, updates, and moves that are undone.
#include <unordered_set>

#include "../model/optimizer.h"
#include "../ops/run.h"
#include "../ops/weights.h"
#include "convert.h"
#include "device.h"
#include "model.h"
#include "model_core.h"

namespace inbatch {

namespace {

using Core = std::shared_ptr<ModelCore>;

struct PassSettings {
  int64_t seed = 0, step = 0, tower = 0;
  float hidden = 0, attention = 0;
  bool keep = false, recompute = false;

  static constexpr auto fields() {
    using S = PassSettings;
    return std::tuple{field("seed", &S::seed),           field("step", &S::step),
                      field("tower", &S::tower),         field("hidden", &S::hidden),
                      field("attention", &S::attention), field("keep", &S::keep),
                      field("recompute", &S::recompute)};
  }
};

void expect_parts(Parameters& parameters, const Stacked& stacked) {
  const Parameter& p = parameters.find(stacked.name);
  const int64_t unit = p.rows > 1 ? p.cols : 1;
  int64_t left = p.rows * p.cols;
  for (const int64_t size : stacked.parts) {
    expect(size > 0 && size <= left && size % unit == 0, "prepareTraining",
           "expected parts of " + p.name + " in whole rows");
    left -= size;
  }
  expect(left == 0, "prepareTraining", "expected parts that make up " + p.name);
}

}  // namespace

// prepareTraining([names of frozen parameters], {optimizer, average, stacked})
Napi::Value ModelHandle::prepare_training(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("prepareTraining");
    std::vector<std::string> names;
    inbatch::read(Reading{"frozen", nullptr}, info[0], names);
    TrainingSettings settings;
    if (!info[1].IsUndefined()) {
      inbatch::read(Reading{"prepareTraining", nullptr}, info[1], settings);
    }
    for (const std::string& name : names) model->parameters.find(name);
    for (const Stacked& stacked : settings.stacked) expect_parts(model->parameters, stacked);
    auto job = std::make_unique<Job>();
    job->work = [model, names, settings](const Stream& stream) {
      model->parameters.prepare_training(stream, {names.begin(), names.end()}, settings);
    };
    return await(info, std::move(job));
  });
}

// trainingMemory([names of frozen parameters], settings): {weights, gradients, state, held}, in
// bytes, of what prepareTraining() would take; nothing is done.
Napi::Value ModelHandle::training_memory(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("trainingMemory");
    std::vector<std::string> names;
    inbatch::read(Reading{"frozen", nullptr}, info[0], names);
    TrainingSettings settings;
    inbatch::read(Reading{"trainingMemory", nullptr}, info[1], settings);
    const TrainingMemory memory =
        model->parameters.training_memory({names.begin(), names.end()}, settings);
    const auto object = Napi::Object::New(info.Env());
    object.Set("weights", double(memory.weights));
    object.Set("gradients", double(memory.gradients));
    object.Set("state", double(memory.state));
    object.Set("held", double(memory.held));
    return object;
  });
}

// forward({ids, offsets, texts}, {seed, step, tower, hidden, attention, keep, recompute}, Tensor,
// canceller): queued. With keep, the pass waits for backward().
Napi::Value ModelHandle::forward(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("forward");
    PassSettings settings;
    inbatch::read(Reading{"forward", nullptr}, info[1], settings);
    Encoder& tower = model->tower(settings.tower);
    const auto batch = batch_of(tower, info[0]);
    const Held* out = held_of(info[2]);
    if (!out) refuse("forward", "expected a tensor for the embeddings");
    expect_type("forward", "embeddings", out->tensor, Type::F32);
    expect_shape("forward", "embeddings", out->tensor, tower.rows(batch->view()), tower.width());
    queue(
        info,
        [model, &tower, batch, settings, held = *out](const Stream& stream) {
          const RandomKey key{uint32_t(settings.seed), uint32_t(settings.step)};
          const DropoutRates dropout{settings.hidden, settings.attention};
          Arena* saved = settings.keep ? &model->saved_memory : nullptr;
          Pass pass{stream, batch->view(), saved, key, dropout, settings.recompute};
          model->forward(tower, pass, batch, held.tensor);
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
          model->walked->backward(model->pass, held.tensor, model->saved);
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

// update({rate, beta1, …, clip, step}, [{value, gradient, first, second}], canceller): {norm,
// squares} of all gradients, as a GradientNorm. Once begun it is not cancelled: half an update
// would be a broken model.
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
    auto found = std::make_shared<GradientNorm>();
    job->cancelled = flag_of(info[2]);
    job->work = [model, settings, extras, blocks, found](Stream stream) {
      stream.cancelled = nullptr;
      *found = inbatch::update(stream, model->parameters, settings, extras);
    };
    job->result = [found](Napi::Env env) -> Napi::Value {
      const auto result = Napi::Object::New(env);
      result.Set("norm", found->norm);
      result.Set("squares", numbers_of(env, found->squares));
      return result;
    };
    return await(info, std::move(job));
  });
}

// exchangeAverages(): queued; the means of the weights become the weights and these the means.
// pack() afterwards.
Napi::Value ModelHandle::exchange_averages(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    queue(info, [model = core("exchangeAverages")](const Stream& stream) {
      for (const Parameter& p : model->parameters.all()) {
        if (!p.state.average.empty()) run(stream, Exchange{p.value, p.state.average});
      }
    });
    return info.Env().Undefined();
  });
}

// perturb({matrices, rate, radius, bound}): queued; moves weights along their gradients.
Napi::Value ModelHandle::perturb(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("perturb");
    expect(model->parameters.is_training(), "perturb", "expected prepareTraining() before");
    PerturbSettings settings;
    inbatch::read(Reading{"perturb", nullptr}, info[0], settings);
    queue(info, [model, settings](const Stream& stream) {
      model->perturbation.move(stream, model->parameters, settings);
    });
    return info.Env().Undefined();
  });
}

// undoPerturb(): queued; puts weights back where they were before the first perturb().
Napi::Value ModelHandle::undo_perturb(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    queue(info, [model = core("undoPerturb")](const Stream& stream) {
      model->perturbation.undo(stream, model->parameters);
    });
    return info.Env().Undefined();
  });
}

// holdGradients(), returnGradients(): queued.
Napi::Value ModelHandle::hold_gradients(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("holdGradients");
    expect(model->parameters.is_training(), "holdGradients", "expected prepareTraining() before");
    queue(info, [model](const Stream& stream) {
      model->perturbation.hold_gradients(stream, model->parameters);
    });
    return info.Env().Undefined();
  });
}

Napi::Value ModelHandle::return_gradients(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Core model = core("returnGradients");
    queue(info, [model](const Stream& stream) {
      model->perturbation.return_gradients(stream, model->parameters);
    });
    return info.Env().Undefined();
  });
}

}  // namespace inbatch
