// Sums that a device computes and this machine needs: of squares, of squared distances.
#pragma once

#include <vector>

#include "../ops/optimize.h"
#include "../ops/run.h"

namespace inbatch {

// What each op, whose result (1, 1) f64 is added to, gives beyond zero. Waits for the device.
template <class Op>
std::vector<double> sums_of(const Stream& stream, std::vector<Op> ops) {
  Scope scope(stream.scratch());
  std::vector<double> sums(ops.size());
  const Tensor results = stream.scratch().tensor(int64_t(ops.size()), 1, Type::F64);
  stream.clear(results.data, size_t(results.bytes()));
  for (size_t i = 0; i < ops.size(); ++i) {
    ops[i].result = results.slice(int64_t(i), 1);
    run(stream, ops[i]);
  }
  stream.download(sums.data(), results.data, size_t(results.bytes()));
  stream.wait();
  return sums;
}

// Of each of these matrices; 0 of an empty one.
inline std::vector<double> sums_of_squares(const Stream& stream,
                                           const std::vector<Tensor>& matrices) {
  std::vector<SumSquares> ops;
  for (const Tensor& x : matrices) {
    if (!x.empty()) ops.push_back({x, {}});
  }
  const std::vector<double> found = sums_of(stream, std::move(ops));
  std::vector<double> sums(matrices.size());
  size_t next = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    if (!matrices[i].empty()) sums[i] = found[next++];
  }
  return sums;
}

}  // namespace inbatch
