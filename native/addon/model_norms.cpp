// The norms of a model's parameters, for whoever watches its training. See model.h.
#include "../ops/optimize.h"
#include "../ops/run.h"
#include "convert.h"
#include "model.h"
#include "model_core.h"

namespace inbatch {

// squares(): the sums of squares of each parameter in their order: of its gradient, which is 0
// where it has none, and of its weights. Both are read; nothing is changed.
Napi::Value ModelHandle::squares(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto model = core("squares");
    expect(model->parameters.is_training(), "squares", "expected prepareTraining() before");
    auto sums = std::make_shared<std::vector<double>>(2 * model->parameters.all().size());
    auto job = std::make_unique<Job>();
    job->work = [model, sums](const Stream& stream) {
      double* sum = sums->data();
      for (const Parameter& p : model->parameters.all()) {
        const Tensor gradient{sum, 1, 1, Type::F64, Place::Cpu};
        const Tensor weight{sum + 1, 1, 1, Type::F64, Place::Cpu};
        if (p.trainable) run(stream, SumSquares{p.gradient, gradient});
        run(stream, SumSquares{p.value, weight});
        sum += 2;
      }
    };
    job->result = [sums](Napi::Env env) {
      const auto list = Napi::Array::New(env, sums->size());
      for (size_t i = 0; i < sums->size(); ++i) list.Set(uint32_t(i), (*sums)[i]);
      return list;
    };
    return await(info, std::move(job));
  });
}

}  // namespace inbatch
