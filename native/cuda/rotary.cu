// Rotary positions. Contract: ops/rotary.h.
//
// Grid (T / 8), 256 threads: a warp has a row, a lane every 32nd pair of all its heads. A pair is
// read and written by one lane, so x turns in place: each element is read once and written once, in
// runs of a half head. The angles of a place are read once for each head, from the cache. Memory
// limits it: a pair has some ten operations for the 8 or 16 bytes that it moves.
#include "../ops/rotary.h"

#include "rows.cuh"
#include "types.cuh"

namespace inbatch::cuda {
namespace {

template <class T>
struct Turn {
  int heads, width, pairs, texts;
  float magnitude, direction;
  const int32_t* offsets;
  const float *cos, *sin;
  T* x;
  int64_t rows, pitch;
};

template <class T>
__global__ void __launch_bounds__(kRowThreads) turn_rows(Turn<T> op) {
  const int64_t row = row_of_warp();
  if (row >= op.rows) return;
  const int text = text_of_row(op.offsets, op.texts, row);
  if (text >= op.texts) return;
  const int64_t angles = (row - op.offsets[text]) * op.pairs;
  for (int i = lane_of_row(); i < op.heads * op.pairs; i += 32) {
    const int head = i / op.pairs, pair = i - head * op.pairs;
    const float cos = op.magnitude * op.cos[angles + pair];
    const float sin = op.magnitude * op.direction * op.sin[angles + pair];
    T* at = op.x + row * op.pitch + int64_t(head) * op.width + pair;
    const float a = float(at[0]), b = float(at[op.pairs]);
    at[0] = T(fmaf(-b, sin, a * cos));
    at[op.pairs] = T(fmaf(a, sin, b * cos));
  }
}

}  // namespace

template <>
void run<Rotary>(const Stream& stream, const Rotary& op) {
  with_type(op.x, [&](auto* x) {
    using T = std::remove_pointer_t<decltype(x)>;
    const Turn<T> turn{op.heads,         op.width,
                       int(op.cos.cols), int(op.offsets.size() - 1),
                       op.magnitude,     op.inverse ? -1.0f : 1.0f,
                       op.offsets.i32(), op.cos.f32(),
                       op.sin.f32(),     x,
                       op.x.rows,        op.x.cols};
    launch(stream, rows_extent(op.x.rows), turn_rows<T>, turn);
  });
}

}  // namespace inbatch::cuda
