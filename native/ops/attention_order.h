// In which order a card begins the texts that attention works on.
#pragma once

#include "op.h"
#include "types.h"

namespace inbatch {

// Every run of up to 128 tokens of a text once: of the longest texts first, of those of equal
// length in their order; of a text from its last run back. So what takes longest begins first.
//
//   tokens   T, the texts' together
//   offsets  (N + 1) i32, rising, offsets[0] = 0, offsets[N] = T
//   order    (2, T / 128 + N) i32, overwritten: the text of each run, and the place in it of the
//            run's first token; behind the last run -1
struct AttentionOrder {
  int32_t tokens = 0;
  Tensor offsets, order;

  static constexpr int32_t kRun = 128;
  static constexpr auto name = "attentionOrder";
  static constexpr auto fields() {
    using Op = AttentionOrder;
    return std::tuple{field("tokens", &Op::tokens), field("offsets", &Op::offsets),
                      field("order", &Op::order)};
  }
  // As many runs as texts of so many tokens can have at most.
  static constexpr int64_t most_runs(int64_t tokens, int64_t texts) {
    return tokens / kRun + texts;
  }
  void check() const {
    expect(tokens >= 0, name, "expected tokens of at least 0, got " + std::to_string(tokens));
    expect_shape(name, "order", order, 2, most_runs(tokens, offsets.size() - 1));
  }
};

}  // namespace inbatch
