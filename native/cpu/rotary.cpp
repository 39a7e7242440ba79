// Rotary positions. Contract: ops/rotary.h. An item is some rows, of whatever texts.
#include "../ops/rotary.h"

#include <algorithm>

#include "../ops/run.h"
#include "kernels.h"
#include "loops.h"

namespace inbatch::cpu {
namespace {

// Turns the rows [begin, end), which belong to the text that begins at `first`.
void turn(const Rotary& op, int64_t first, int64_t begin, int64_t end) {
  const int64_t pairs = op.cos.cols, at = (begin - first) * pairs;
  kernels().rotary({op.x.f32() + begin * op.x.cols, op.x.cols, end - begin, op.heads, op.width,
                    pairs, op.cos.f32() + at, op.sin.f32() + at, op.magnitude,
                    op.inverse ? -1.0f : 1.0f});
}

}  // namespace

template <>
void run<Rotary>(const Stream& stream, const Rotary& op) {
  const int32_t *offsets = op.offsets.i32(), *last = offsets + op.offsets.size() - 1;
  over_rows(stream, op.x.rows, int64_t(op.heads) * op.width, [&](int64_t begin, int64_t end) {
    // The text of a row is the one whose end is the first beyond it.
    for (const int32_t* next = std::upper_bound(offsets, last, int32_t(begin)); begin < end;
         ++next) {
      const int64_t until = std::min<int64_t>(end, *next);
      if (begin < until) turn(op, next[-1], begin, until);
      begin = until;
    }
  });
}

}  // namespace inbatch::cpu
