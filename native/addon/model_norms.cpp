// The norms of a model's parameters, for whoever watches its training. See model.h.
#include "../ops/optimize.h"
#include "../ops/run.h"
#include "convert.h"
#include "model.h"
#include "model_core.h"

namespace inbatch {

// squares(): the sum of squares of the weights of each parameter in their order. Nothing is
// changed.
Napi::Value ModelHandle::squares(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto model = core("squares");
    auto sums = std::make_shared<std::vector<double>>(model->parameters.all().size());
    auto job = std::make_unique<Job>();
    job->work = [model, sums](const Stream& stream) {
      double* sum = sums->data();
      for (const Parameter& p : model->parameters.all()) {
        run(stream, SumSquares{p.value, {sum++, 1, 1, Type::F64, Place::Cpu}});
      }
    };
    job->result = [sums](Napi::Env env) { return numbers_of(env, *sums); };
    return await(info, std::move(job));
  });
}

}  // namespace inbatch
