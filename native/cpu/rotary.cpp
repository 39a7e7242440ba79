// Rotary positions. Contract: ops/rotary.h. An item is some rows, of whatever texts.
#include "../ops/rotary.h"

#include "../ops/run.h"
#include "kernels.h"
#include "loops.h"

namespace inbatch::cpu {

template <>
void run<Rotary>(const Stream& stream, const Rotary& op) {
  const int64_t pairs = op.cos.cols, columns = int64_t(op.heads) * op.width;
  over_texts(stream, op.offsets, columns, [&](int64_t text, int64_t begin, int64_t end) {
    const int64_t angles = (begin - op.offsets.i32()[text]) * pairs;
    kernels().rotary({op.x.f32() + begin * op.x.cols, op.x.cols, end - begin, op.heads, op.width,
                      pairs, op.cos.f32() + angles, op.sin.f32() + angles, op.magnitude,
                      op.inverse ? -1.0f : 1.0f});
  });
}

}  // namespace inbatch::cpu
