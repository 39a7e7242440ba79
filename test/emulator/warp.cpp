// Contract: warp.h. Fragment layouts are those of the PTX manual; conformance.cu holds them to the
// card.
#include "warp.h"

#include <cstring>

#include "../../native/base/bf16.h"
#include "memory.h"

using inbatch::bf16;

namespace emulator {
namespace {

struct Lane {
  const char* kind;
  uint32_t mask;
  void* record;
};
Lane lanes[1024];

float element(uint32_t packed, int half) {
  bf16 value;
  value.bits = uint16_t(packed >> 16 * half);
  return float(value);
}

void complete_shuffle(void* const (&records)[32], uint32_t mask) {
  for (int lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    auto& to = *static_cast<Exchange*>(records[lane]);
    const bool given = mask >> to.source & 1;
    to.out =
        given ? static_cast<Exchange*>(records[to.source])->value : ~0ull;  // undefined on the card
  }
}

template <class Combine>
void fold(void* const (&records)[32], uint32_t mask, Combine combine) {
  uint64_t sum = 0;
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1) sum = combine(sum, static_cast<Exchange*>(records[lane])->value, lane);
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1) static_cast<Exchange*>(records[lane])->out = sum;
}

void complete_ballot(void* const (&records)[32], uint32_t mask) {
  fold(records, mask,
       [](uint64_t sum, uint64_t value, int lane) { return sum | uint64_t(value != 0) << lane; });
}
void complete_add(void* const (&records)[32], uint32_t mask) {
  fold(records, mask,
       [](uint64_t sum, uint64_t value, int) { return uint64_t(uint32_t(sum + value)); });
}
void complete_max(void* const (&records)[32], uint32_t mask) {
  fold(records, mask, [](uint64_t sum, uint64_t value, int) { return value > sum ? value : sum; });
}

void complete_sync(void* const (&)[32], uint32_t mask) {
  Clock clock;
  const int first = current->id & ~31;
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1) release(block.thread[first + lane], clock);
  for (int lane = 0; lane < 32; ++lane)
    if (mask >> lane & 1) acquire(block.thread[first + lane], clock);
}

// Matrix m's row r is at the address lane 8m + r gives; lane l receives row l / 4, columns 2 (l %
// 4) and the next, or, transposed, rows 2 (l % 4) and the next of column l / 4.
void complete_load(void* const (&records)[32], uint32_t) {
  const int first = current->id & ~31;
  const auto& mine = *static_cast<MatrixLoad*>(records[current->id % 32]);
  for (int matrix = 0; matrix < mine.count; ++matrix) {
    uint16_t tile[8][8];
    for (int row = 0; row < 8; ++row) {
      const int lane = 8 * matrix + row;
      const auto& from = *static_cast<MatrixLoad*>(records[lane]);
      if (!in_shared(from.row, 16))
        fail("load_matrix: row %d of matrix %d lies outside shared memory", row, matrix);
      if (shared_address(from.row) % 16)
        fail("load_matrix: row %d of matrix %d is not 16-byte aligned", row, matrix);
      touch(block.thread[first + lane], from.row, 16, Access::read, site_of(from.where));
      memcpy(tile[row], from.row, 16);
    }
    for (int lane = 0; lane < 32; ++lane) {
      const int row = lane / 4, column = lane % 4 * 2;
      const uint32_t low = mine.transposed ? tile[column][row] : tile[row][column];
      const uint32_t high = mine.transposed ? tile[column + 1][row] : tile[row][column + 1];
      static_cast<MatrixLoad*>(records[lane])->out[matrix] = low | high << 16;
    }
  }
}

void complete_product(void* const (&records)[32], uint32_t) {
  float a[16][16], b[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const auto& from = *static_cast<MatrixProduct*>(records[lane]);
    const int row = lane / 4, column = lane % 4 * 2;
    for (int part = 0; part < 4; ++part)
      for (int half = 0; half < 2; ++half)
        a[row + part % 2 * 8][column + part / 2 * 8 + half] = element(from.a[part], half);
    for (int part = 0; part < 2; ++part)
      for (int half = 0; half < 2; ++half)
        b[column + part * 8 + half][row] = element(from.b[part], half);
  }
  for (int lane = 0; lane < 32; ++lane) {
    auto& to = *static_cast<MatrixProduct*>(records[lane]);
    for (int part = 0; part < 4; ++part) {
      const int row = lane / 4 + part / 2 * 8, column = lane % 4 * 2 + part % 2;
      double sum = to.d[part];
      for (int k = 0; k < 16; ++k) sum += double(a[row][k]) * b[k][column];
      to.d[part] = float(sum);
    }
  }
}

}  // namespace

int lane() { return current->id % 32; }

void reset_warps() { memset(lanes, 0, sizeof lanes); }

void collective(const char* kind, uint32_t mask, void* record, Complete complete,
                const Where& where) {
  const int first = current->id & ~31;
  const int mine = current->id % 32;
  if (!(mask >> mine & 1))
    fail("%s at %s: mask %08x lacks the calling lane", kind, describe(where).c_str(), mask);
  lanes[current->id] = {kind, mask, record};
  void* records[32] = {};
  for (int lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    const Lane& other = lanes[first + lane];
    if (first + lane >= block.threads || !other.record || other.mask != mask)
      return suspend(kind, where);
    if (strcmp(other.kind, kind))
      fail("%s at %s, but lane %d of the warp is at %s", kind, describe(where).c_str(), lane,
           other.kind);
    records[lane] = other.record;
  }
  complete(records, mask);
  for (int lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    lanes[first + lane].record = nullptr;
    if (lane != mine) wake(block.thread[first + lane]);
  }
}

void shuffle(uint32_t mask, Exchange& record, const Where& where) {
  collective("shuffle", mask, &record, complete_shuffle, where);
}
void ballot(uint32_t mask, Exchange& record, const Where& where) {
  collective("ballot", mask, &record, complete_ballot, where);
}
void reduce_add(uint32_t mask, Exchange& record, const Where& where) {
  collective("reduce_add", mask, &record, complete_add, where);
}
void reduce_max(uint32_t mask, Exchange& record, const Where& where) {
  collective("reduce_max", mask, &record, complete_max, where);
}
void sync_warp(uint32_t mask, const Where& where) {
  char record = 0;
  collective("__syncwarp", mask, &record, complete_sync, where);
}
void load_matrix(MatrixLoad& record) {
  collective("load_matrix", all_lanes, &record, complete_load, record.where);
}
void multiply_m16n8k16(MatrixProduct& record, const Where& where) {
  collective("multiply", all_lanes, &record, complete_product, where);
}

}  // namespace emulator
