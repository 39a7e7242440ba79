// Every op, callable by name. See operations.h.
#include "operations.h"

#include <unordered_map>

#include "../ops/all.h"
#include "../ops/run.h"
#include "convert.h"

namespace inbatch {
namespace {

using Work = std::function<void(const Stream&)>;
using Maker = Work (*)(Napi::Value, Place);

template <class Op>
Work make(Napi::Value fields, Place place) {
  std::vector<std::shared_ptr<Memory::Block>> blocks;
  Op op;
  read(Reading{Op::name, &blocks}, fields, op);
  op.check();
  expect_place(op, place);
  return [op, blocks = std::move(blocks)](const Stream& stream) { run(stream, op); };
}

template <class... Op>
std::unordered_map<std::string, Maker> table_of(OpList<Op...>) {
  return {{Op::name, &make<Op>}...};
}

}  // namespace

Work operation(const std::string& name, Napi::Value fields, Place place) {
  static const auto* table = new std::unordered_map<std::string, Maker>(table_of(AllOps{}));
  const auto found = table->find(name);
  if (found == table->end()) throw Error("OP_INVALID", "run: expected an op, got \"" + name + '"');
  return found->second(fields, place);
}

}  // namespace inbatch
