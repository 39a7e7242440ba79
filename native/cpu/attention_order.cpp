// In which order a card begins texts. Contract: ops/attention_order.h. One thread sorts them: there
// are as many as texts in a batch.
#include "../ops/attention_order.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "../ops/run.h"

namespace inbatch::cpu {

template <>
void run<AttentionOrder>(const Stream&, const AttentionOrder& op) {
  const int32_t* offsets = op.offsets.i32();
  const auto tokens_of = [&](int32_t text) { return offsets[text + 1] - offsets[text]; };
  std::vector<int32_t> texts(size_t(op.offsets.size() - 1));
  std::iota(texts.begin(), texts.end(), 0);
  std::stable_sort(texts.begin(), texts.end(),
                   [&](int32_t a, int32_t b) { return tokens_of(a) > tokens_of(b); });
  constexpr int32_t kRun = AttentionOrder::kRun;
  const int64_t most = op.order.cols;
  int32_t* to = op.order.i32();
  std::fill(to, to + 2 * most, -1);
  for (const int32_t text : texts) {
    for (int32_t run = (tokens_of(text) + kRun - 1) / kRun; run-- > 0; ++to) {
      to[0] = text;
      to[most] = run * kRun;
    }
  }
}

}  // namespace inbatch::cpu
