// Rows that the gradient of a weight in bf16 has yet to get.
//
// Tensor cores take sixteen rows at a time. What does not fill sixteen waits for the next rows, so
// that the bits of a gradient do not depend on where a step is cut into chunks.
#pragma once

#include <algorithm>

#include "../ops/linear.h"
#include "../ops/run.h"

namespace inbatch {

struct CarriedRows {
  static constexpr int64_t together = 16;

  Tensor x, dy;           // (together, K), (together, N); empty: no row ever waits
  Tensor dweight, dbias;  // what the rows go to
  int64_t rows = 0;       // that wait

  // Adds the gradient of these rows behind those that wait; the last ones may wait then.
  void add(const Stream& stream, Tensor more_x, Tensor more_dy) {
    const int64_t all = more_x.rows;
    const int64_t missing = rows > 0 ? std::min(together - rows, all) : 0;
    put(stream, more_x.slice(0, missing), more_dy.slice(0, missing));
    if (rows == together) finish(stream);
    const int64_t whole = (all - missing) / together * together;
    if (whole > 0) {
      run(stream, LinearBackwardWeight{more_x.slice(missing, whole), more_dy.slice(missing, whole),
                                       dweight, dbias});
    }
    const int64_t done = missing + whole;
    put(stream, more_x.slice(done, all - done), more_dy.slice(done, all - done));
  }

  // Adds what waits.
  void finish(const Stream& stream) {
    if (rows == 0) return;
    run(stream, LinearBackwardWeight{x.slice(0, rows), dy.slice(0, rows), dweight, dbias});
    rows = 0;
  }

 private:
  void put(const Stream& stream, Tensor more_x, Tensor more_dy) {
    if (more_x.rows == 0) return;
    stream.copy(x.slice(rows, 1).data, more_x.data, size_t(more_x.bytes()));
    stream.copy(dy.slice(rows, 1).data, more_dy.data, size_t(more_dy.bytes()));
    rows += more_x.rows;
  }
};

}  // namespace inbatch
