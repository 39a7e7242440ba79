// Contract: wgmma.h. One Product stands for the instruction of the four warps; the first warp to
// wait for it reads the operands for all, each warp adds its own rows.
#include "wgmma.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "async.h"
#include "../../native/base/bf16.h"
#include "memory.h"
#include "warp.h"

using inbatch::bf16;

namespace emulator {
namespace {

struct Product {
  GroupProduct what;
  int warps = 0;
  bool computed = false;
  Clock issued;    // what every one of the 128 threads saw when it issued
  Clock finished;  // what orders later work after the reading of the operands
  std::vector<float> a, b, value;
  std::vector<Thread*> waiting;
};

struct Kept {
  std::vector<float> value;
  int products = 0;
};

struct Warp {
  size_t issued = 0;
  std::vector<std::shared_ptr<Product>> open;
  std::deque<std::vector<std::shared_ptr<Product>>> closed;
  std::map<float*, Kept> kept[32];
  std::vector<std::pair<std::shared_ptr<Product>, std::vector<float*>>> targets;
};

std::vector<Warp> warps;
std::vector<std::deque<std::shared_ptr<Product>>> sequence;  // per warpgroup, by order of issue
std::vector<bool> fenced;
std::vector<int> registers;  // per thread
int spare_registers;
std::vector<Thread*> want_registers;

// A signalling NaN: any arithmetic on it changes its bits, so that accumulators touched in flight
// show.
constexpr uint32_t poison = 0x7fa5a5a5;

// The lines of the swizzle that a descriptor names: 128, 64 or 32 bytes.
uint32_t line_of(uint64_t descriptor) {
  const uint32_t mode = descriptor >> 62;
  if (mode == 0) fail("wgmma: expected a descriptor of swizzled lines");
  return 256u >> mode;
}

// Canonical layouts, here with lines of 128 bytes, which hold 64 elements. K-major: 8 rows of 64
// elements, the next 8 rows `stride` bytes on. Transposed: 8 steps of k with 64 rows each, the next
// 64 rows `leading`, the next 8 steps `stride` bytes on.
uint32_t address_of(uint64_t descriptor, bool transposed, int row, int k) {
  const uint32_t start = (descriptor & 0x3fff) << 4;
  const uint32_t leading = (descriptor >> 16 & 0x3fff) << 4, stride = (descriptor >> 32 & 0x3fff)
                                                                      << 4;
  const uint32_t line = line_of(descriptor), elements = line / 2;
  if (!transposed) return swizzle(start + row / 8 * stride + row % 8 * line + k * 2, line);
  return swizzle(
      start + row / elements * leading + k / 8 * stride + k % 8 * line + row % elements * 2, line);
}

float read_shared(Product& product, uint64_t descriptor, bool transposed, int row, int k,
                  Site site) {
  const char* at = shared_pointer(address_of(descriptor, transposed, row, k));
  if (!in_shared(at, 2))
    fail("wgmma at %s: operand outside shared memory", describe(product.what.where).c_str());
  async_read(*current, product.issued, at, 2, site);
  bf16 value;
  memcpy(&value, at, 2);
  return float(value);
}

void compute(Product& product) {
  const GroupProduct& what = product.what;
  const Site site = site_of(what.where);
  if (!what.a)
    for (int row = 0; row < 64; ++row)
      for (int k = 0; k < 16; ++k)
        product.a[row * 16 + k] =
            read_shared(product, what.a_descriptor, what.a_transposed, row, k, site);
  for (int column = 0; column < what.columns; ++column)
    for (int k = 0; k < 16; ++k)
      product.b[column * 16 + k] =
          read_shared(product, what.b_descriptor, what.b_transposed, column, k, site);
  for (int row = 0; row < 64; ++row)
    for (int column = 0; column < what.columns; ++column) {
      double sum = 0;
      for (int k = 0; k < 16; ++k)
        sum += double(product.a[row * 16 + k]) * product.b[column * 16 + k];
      product.value[row * what.columns + column] = float(sum);
    }
  product.computed = true;
  release(*current, product.finished);
}

bool same(const GroupProduct& x, const GroupProduct& y) {
  return x.a_descriptor == y.a_descriptor && x.b_descriptor == y.b_descriptor &&
         x.columns == y.columns && x.accumulate == y.accumulate && !x.a == !y.a &&
         x.a_transposed == y.a_transposed && x.b_transposed == y.b_transposed;
}

// That what belongs to products on their way is as they left it.
void expect_untouched(const GroupProduct& what, const float* accumulators) {
  for (int j = 0; j < what.columns / 2; ++j)
    if (memcmp(accumulators + j, &poison, 4))
      fail("wgmma at %s: accumulator %d was changed while in flight", describe(what.where).c_str(),
           j);
}

std::shared_ptr<Product> join_product(Warp& warp, const GroupProduct& what) {
  auto& group = sequence[current->id / 128];
  if (warp.issued == group.size()) {
    auto product = std::make_shared<Product>();
    product->what = what;
    product->a.resize(64 * 16);
    product->b.resize(what.columns * 16);
    product->value.resize(64 * what.columns);
    product->issued.assign(block.agents, ~0u);
    group.push_back(product);
  }
  auto product = group[warp.issued++];
  if (!same(product->what, what))
    fail("wgmma at %s: the warps of a warpgroup disagree on operands",
         describe(what.where).c_str());
  return product;
}

void complete_issue(void* const (&records)[32], uint32_t) {
  const int first = current->id & ~31;
  Warp& warp = warps[first / 32];
  const auto& mine = *static_cast<GroupProduct*>(records[0]);
  if (block.threads % 128)
    fail("wgmma at %s: the block is not made of whole warpgroups", describe(mine.where).c_str());
  for (uint64_t descriptor : {mine.a ? 0 : mine.a_descriptor, mine.b_descriptor})
    if (descriptor && descriptor >> 3 & (line_of(descriptor) / 16 - 1))
      fail("wgmma at %s: expected tiles that start at a multiple of %u bytes",
           describe(mine.where).c_str(), 8 * line_of(descriptor));
  auto product = join_product(warp, mine);
  std::vector<float*> targets(32);
  for (int lane = 0; lane < 32; ++lane) {
    auto& record = *static_cast<GroupProduct*>(records[lane]);
    const int thread = first + lane;
    if (!same(record, mine))
      fail("wgmma at %s: the lanes of a warp disagree", describe(mine.where).c_str());
    if (!fenced[thread])
      fail("wgmma at %s: no wgmma_fence since the registers were last free",
           describe(mine.where).c_str());
    for (int agent = 0; agent < block.agents; ++agent)
      product->issued[agent] = std::min(product->issued[agent], block.thread[thread].clock[agent]);
    if (record.a)
      for (int part = 0; part < 4; ++part)
        for (int half = 0; half < 2; ++half) {
          const int row = thread % 128 / 32 * 16 + lane / 4 + part % 2 * 8,
                    k = lane % 4 * 2 + part / 2 * 8 + half;
          bf16 value;
          value.bits = uint16_t(record.a[part] >> 16 * half);
          product->a[row * 16 + k] = float(value);
        }
    Kept& kept = warp.kept[lane][record.d];
    if (kept.products++ > 0) expect_untouched(mine, record.d);
    if (kept.value.empty()) kept.value.assign(record.d, record.d + mine.columns / 2);
    for (int j = 0; j < mine.columns / 2; ++j) memcpy(record.d + j, &poison, 4);
    targets[lane] = record.d;
  }
  warp.open.push_back(product);
  warp.targets.push_back({product, targets});
  if (++product->warps == 4)
    for (Thread* thread : product->waiting) wake(*thread);
}

// Accumulator j of a lane: row lane / 4 (+ 8), column 8 (j / 4) + 2 (lane % 4) + j % 2 of the
// warp's 16 rows.
void finish(Warp& warp, Product& product, const std::vector<float*>& targets, int warp_row) {
  for (int lane = 0; lane < 32; ++lane) {
    Kept& kept = warp.kept[lane][targets[lane]];
    for (int j = 0; j < product.what.columns / 2; ++j) {
      const int row = warp_row + lane / 4 + j % 4 / 2 * 8,
                column = j / 4 * 8 + lane % 4 * 2 + j % 2;
      const float value = product.value[row * product.what.columns + column];
      kept.value[j] = product.what.accumulate ? kept.value[j] + value : value;
    }
    if (--kept.products) continue;
    expect_untouched(product.what, targets[lane]);
    std::copy(kept.value.begin(), kept.value.end(), targets[lane]);
    warp.kept[lane].erase(targets[lane]);
  }
}

struct Wait {
  int groups_left;
  Where where;
};

void complete_commit(void* const (&)[32], uint32_t) {
  Warp& warp = warps[current->id / 32];
  warp.closed.push_back(std::move(warp.open));
  warp.open.clear();
}

void complete_wait(void* const (&records)[32], uint32_t mask) {
  Clock clock;
  Warp& warp = warps[current->id / 32];
  const auto& wait = *static_cast<Wait*>(records[current->id % 32]);
  for (; int(warp.closed.size()) > wait.groups_left; warp.closed.pop_front())
    for (const auto& product : warp.closed.front()) {
      if (product->warps < 4) {
        product->waiting.push_back(current);
        suspend("wgmma_wait for the other warps of the warpgroup", wait.where);
      }
      if (!product->computed) compute(*product);
      join(clock, product->finished);
      finish(warp, *product, warp.targets.front().second, current->id % 128 / 32 * 16);
      warp.targets.erase(warp.targets.begin());
    }
  const int first = current->id & ~31;
  for (int lane = 0; lane < 32; ++lane) fenced[first + lane] = false;
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1) release(block.thread[first + lane], clock);
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1) acquire(block.thread[first + lane], clock);
}

}  // namespace

uint64_t matrix_descriptor(const void* tile, uint32_t leading_bytes, uint32_t stride_bytes,
                           uint32_t line_bytes) {
  const auto field = [](uint32_t bytes) { return uint64_t((bytes & 0x3ffff) >> 4); };
  return field(shared_address(tile)) | field(leading_bytes) << 16 | field(stride_bytes) << 32 |
         uint64_t(line_bytes == 128  ? 1
                  : line_bytes == 64 ? 2
                                     : 3)
             << 62;
}

void reset_wgmma() {
  warps.assign((block.threads + 31) / 32, {});
  sequence.assign((block.threads + 127) / 128, {});
  fenced.assign(block.threads, false);
  const int entry = std::min(255, 65536 / block.threads) / 8 * 8;
  registers.assign(block.threads, entry);
  spare_registers = 65536 - entry * block.threads;
  want_registers.clear();
}

void check_wgmma_drained(Thread& thread) {
  const Warp& warp = warps[thread.id / 32];
  if (!warp.open.empty() || !warp.closed.empty())
    fail("the thread ends with wgmma products it never waited for");
}

void wgmma_fence() { fenced[current->id] = true; }

void wgmma(GroupProduct& record) {
  collective("wgmma", all_lanes, &record, complete_issue, record.where);
}

void wgmma_commit(const Where& where) {
  char record = 0;
  collective("wgmma_commit", all_lanes, &record, complete_commit, where);
}

void wgmma_wait(int groups_left, const Where& where) {
  Wait record{groups_left, where};
  collective("wgmma_wait", all_lanes, &record, complete_wait, where);
}

void change_registers(int count, const Where& where) {
  while (count - registers[current->id] > spare_registers) {
    want_registers.push_back(current);
    suspend("registers_take", where);
  }
  spare_registers += registers[current->id] - count;
  registers[current->id] = count;
  for (Thread* thread : std::exchange(want_registers, {})) wake(*thread);
}

}  // namespace emulator
