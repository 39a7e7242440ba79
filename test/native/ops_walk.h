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

// visit(op) with its switches as they are, and with each of them turned.
template <class Op, class F>
void for_each_switch(const Op& op, const F& visit) {
  visit(op);
  const auto turn = [&](auto field) {
    if constexpr (std::is_same_v<std::decay_t<decltype(op.*field.member)>, bool>) {
      Op turned = op;
      turned.*field.member = !(op.*field.member);
      visit(turned);
    }
  };
  std::apply([&](auto... field) { (turn(field), ...); }, Op::fields());
}

// The same for every combination of the values of its enumerations.
template <size_t place = 0, class Op, class F>
void for_each_choice(Op op, const F& visit) {
  if constexpr (place == std::tuple_size_v<decltype(Op::fields())>) {
    for_each_switch(op, visit);
  } else {
    const auto member = std::get<place>(Op::fields()).member;
    using Value = std::decay_t<decltype(op.*member)>;
    if constexpr (std::is_enum_v<Value>) {
      for (size_t value = 0; value < std::size(Words<Value>::list); ++value) {
        op.*member = Value(value);
        for_each_choice<place + 1>(op, visit);
      }
    } else {
      for_each_choice<place + 1>(op, visit);
    }
  }
}

// One op on operands of these extents: it overwrites what it should, to the same bits on each pool.
template <class Op>
void run_everywhere(const Op& choice, const Extents& extents, const Pools& pools) {
  std::optional<uint64_t> expected;
  const std::string where = std::string(Op::name) + " of width " + std::to_string(extents.width) +
                            (extents.is_bare ? ", bare" : "");
  for (const auto& pool : pools) {
    Draw draw(extents);
    Op op = choice;
    fill(op, draw);
    run(Stream{Place::Cpu, pool.get()}, op);
    demand(!draw.has_gaps(), where + ": expected every element overwritten");
    const uint64_t hash = draw.hash();
    demand(expected.value_or(hash) == hash,
           where + ": expected the same bits with any number of threads");
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
