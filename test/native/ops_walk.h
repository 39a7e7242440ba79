// Every op of the list, with every choice it has, on small odd shapes and pools of several sizes.
#pragma once

#include <iterator>
#include <optional>
#include <string>
#include <type_traits>

#include "../../native/ops/run.h"
#include "loss_operands.h"
#include "operands.h"

namespace inbatch::driver {

using Pools = std::vector<std::unique_ptr<Pool>>;

inline Pools pools_of(std::initializer_list<int> sizes) {
  Pools pools;
  for (const int threads : sizes) pools.push_back(std::make_unique<Pool>(threads));
  return pools;
}

inline void demand(bool holds, const std::string& what) {
  if (!holds) throw Error("INTERNAL", what);
}

// visit(op) for every combination of the values of its enumerations and switches.
template <size_t field = 0, class Op, class F>
void for_each_choice(Op op, const F& visit) {
  constexpr auto fields = Op::fields();
  if constexpr (field == std::tuple_size_v<decltype(fields)>) {
    visit(op);
  } else {
    constexpr auto member = std::get<field>(fields).member;
    using Value = std::decay_t<decltype(op.*member)>;
    constexpr bool is_choice = std::is_same_v<Value, bool> || std::is_enum_v<Value>;
    int values = 1;
    if constexpr (std::is_same_v<Value, bool>) values = 2;
    if constexpr (std::is_enum_v<Value>) values = int(std::size(Words<Value>::list));
    for (int value = 0; value < values; ++value) {
      if constexpr (is_choice) op.*member = Value(value);
      for_each_choice<field + 1>(op, visit);
    }
  }
}

// One op on operands of these extents: it overwrites what it should, to the same bits on each pool.
template <class Op>
void run_everywhere(const Op& choice, const Extents& extents, const Pools& pools) {
  std::optional<uint64_t> expected;
  for (const auto& pool : pools) {
    Draw draw(extents);
    Op op = choice;
    fill(op, draw);
    run(Stream{Place::Cpu, pool.get()}, op);
    demand(!draw.has_gaps(), std::string(Op::name) + ": expected every element overwritten");
    const uint64_t hash = draw.hash();
    demand(expected.value_or(hash) == hash,
           std::string(Op::name) + ": expected the same bits with any number of threads");
    expected = hash;
  }
}

// How many times an op ran on each pool.
template <class... Op>
int walk_ops(OpList<Op...>, const Pools& pools) {
  const std::vector<Extents> all = {
      {{}, 6, 3, 1},
      {{1}, 1, 1, 1},
      {{3, 0, 1, 17}, 15, 33, 5},
      {{3, 0, 1, 17}, 15, 33, 5, true},
      {{130, 49, 1, 70}, 66, 100, 3},
      {{130, 49, 1, 70}, 66, 100, 3, true},
  };
  int runs = 0;
  const auto everywhere = [&](const auto& op) {
    for (const Extents& extents : all) {
      run_everywhere(op, extents, pools);
      ++runs;
    }
  };
  (for_each_choice(Op{}, everywhere), ...);
  return runs;
}

}  // namespace inbatch::driver
