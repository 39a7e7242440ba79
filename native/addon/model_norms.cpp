// The norms of a model's parameters, for whoever watches its training. See model.h.
#include "../model/sums.h"
#include "convert.h"
#include "model.h"
#include "model_core.h"

namespace inbatch {

// squares(): the sum of squares of the weights of each parameter in their order. Nothing is
// changed.
Napi::Value ModelHandle::squares(Info info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto model = core("squares");
    auto sums = std::make_shared<std::vector<double>>();
    auto job = std::make_unique<Job>();
    job->work = [model, sums](const Stream& stream) {
      std::vector<Tensor> values;
      for (const Parameter& p : model->parameters.all()) values.push_back(p.value);
      *sums = sums_of_squares(stream, values);
    };
    job->result = [sums](Napi::Env env) { return numbers_of(env, *sums); };
    return await(info, std::move(job));
  });
}

}  // namespace inbatch
