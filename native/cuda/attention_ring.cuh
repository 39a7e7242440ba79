// Hopper's attention, what its kernels share: boxes that the copy engine fills, the rings they come
// in, and who does what.
//
// As many blocks as the card runs at a time, each with every n-th unit of work: 128 rows of a text
// and head, the unit's own, and the rows of the same text that these meet, a tile at a time. Units
// follow AttentionOrder where it is given, so that long texts do not come last. Of the first warp
// group of a block a warp has boxes copied, of this unit and of the next, until the rings are full;
// another sets to zero what came of the rows of the text behind. The two groups that compute have
// 64 own rows each. `landed` counts bytes, `full` the warp that clears, `empty` the warps that are
// done.
#pragma once

#include "attention_mma.cuh"
#include "turn.cuh"

namespace inbatch::cuda {
namespace {

constexpr int kUnitRows = AttentionOrder::kRun, kUnits = 2, kMetStages = 4;
constexpr int kRingThreads = 3 * 128, kComputingWarps = 8;
// 168 a thread, as a block of the whole file has them, in other parts.
constexpr int kServingRegisters = 56, kComputingRegisters = 224;

// Rows of D columns in boxes as wide as the widest swizzled line that D is a multiple of.
template <int rows, int D>
struct alignas(1024) Boxes {
  static constexpr int kWide = D % 64 == 0 ? 64 : D % 32 == 0 ? 32 : 16;
  static constexpr int kLine = kWide * int(sizeof(bf16)), kEight = 8 * kLine;  // bytes
  bf16 at[D / kWide][rows][kWide];

  // Columns 16 step to 16 step + 15 of the rows from `first` on, which are lines of a product.
  DEVICE uint64_t by_rows(int first, int step) const {
    const int column = 16 * step;
    return matrix_descriptor(&at[column / kWide][first][column % kWide], 16, kEight, kLine);
  }
  // Rows 16 step to 16 step + 15, of which each column is a line.
  DEVICE uint64_t by_columns(int step) const {
    return matrix_descriptor(&at[0][16 * step], rows * kLine, kEight, kLine);
  }
  // `count` rows to `first` and after, from row and column of the matrix, by a map of such boxes.
  DEVICE void load(const TensorMap& map, Mbarrier& barrier, int first, int column, int row) {
    for (int box = 0; box < D / kWide; ++box) {
      tensor_load(at[box][first], map, barrier, column + box * kWide, row);
    }
  }
  // By a warp. A swizzle moves nothing out of its row.
  DEVICE void clear(int first) {
    const int words = (rows - first) * kLine / 16;
    for (int box = 0; box < D / kWide; ++box) {
      auto* to = reinterpret_cast<uint4*>(at[box][first]);
      for (int i = lane_id(); i < words; i += 32) to[i] = {0, 0, 0, 0};
    }
  }
};

// A unit's tile of the text, and its head: of the queries, or of the keys that a unit has.
struct Unit {
  TextTile tile;
  int head;  // below zero: no more units

  DEVICE TextTile tile_of(int group) const {
    return {tile.text, tile.begin, tile.tokens, tile.first + kMmaRows * group};
  }
};

// So many panels of own rows; of met rows two.
template <int D, int tile_rows, int own_panels>
struct AttentionRing {
  static constexpr int width = D, met_rows = tile_rows, panels = own_panels;
  static constexpr uint32_t row_bytes = D * sizeof(bf16);
  Boxes<kUnitRows, D> own[kUnits][panels];
  Boxes<met_rows, D> met[kMetStages][2];
  Unit unit[kUnits];
  int rows[kMetStages];  // of the text, from the tile's first on; below zero: no more tiles
  Mbarrier own_full[kUnits], own_empty[kUnits];
  Mbarrier landed[kMetStages], full[kMetStages], empty[kMetStages];

  DEVICE void start() {
    if (threadIdx.x == 0) {
      for (int i = 0; i < kUnits; ++i) {
        mbarrier_init(own_full[i], 1);
        mbarrier_init(own_empty[i], kComputingWarps);
      }
      for (int i = 0; i < kMetStages; ++i) {
        mbarrier_init(landed[i], 1);
        mbarrier_init(full[i], 1);
        mbarrier_init(empty[i], kComputingWarps);
      }
      mbarrier_init_fence();
    }
    __syncthreads();  // barriers of the rings initialised -> used by all
  }

  // One warp: sets to zero what each tile brought of the rows behind its text.
  DEVICE void clear_tiles() {
    for (Turn<kMetStages> turn;; turn.advance()) {
      mbarrier_wait(landed[turn.stage], turn.parity);
      const int count = rows[turn.stage];
      if (count < 0) return;
      if (count < met_rows) {
        met[turn.stage][0].clear(count);
        met[turn.stage][1].clear(count);
        fence_async_proxy();
      }
      __syncwarp();  // rows cleared by all lanes -> handed on by one
      if (lane_id() == 0) mbarrier_arrive(full[turn.stage]);
    }
  }
};

// tile_of_slot by a whole warp, which leaves a 32nd of the texts with every look at them.
DEVICE TextTile warp_tile_of_slot(const int32_t* offsets, int texts, int size, int slot) {
  int low = 0, count = texts;  // where the last text is whose slots begin at `slot` or before
  while (count > 1) {
    const int each = (count + 31) / 32, at = low + lane_id() * each;
    const bool begins = at < low + count && offsets[at] / size + at <= slot;
    const int past = (__popc(__ballot_sync(all_lanes, begins)) - 1) * each;
    count = min(each, count - past);
    low += past;
  }
  const int begin = offsets[low];
  return {low, begin, offsets[low + 1] - begin, (slot - begin / size - low) * size};
}

// The tile of the number-th unit of a head: as ordered, or by slots.
DEVICE TextTile tile_of_unit(const AttentionRules& rules, int number, int count) {
  if (!rules.order) {
    return warp_tile_of_slot(rules.offsets, rules.text_count, kUnitRows, number);
  }
  const int text = rules.order[number];
  if (text < 0) return {0, 0, 0, 0};
  const int begin = rules.offsets[text];
  return {text, begin, rules.offsets[text + 1] - begin, rules.order[count + number]};
}

// What the copy engine reads for one panel: a matrix, and the column of it that head 0 begins at.
struct Source {
  const TensorMap& map;
  int column;
};

// The work of a kernel as the warp that has it copied needs it: how many units, of how many heads;
// where their panels come from; how far before and behind the own rows lie those they meet; of how
// many heads these are, or, of one, how many own heads share it.
struct Errand {
  int units, heads;
  Source own[2], met[2];
  int back, ahead, met_heads, sharing;

  // Units of queries, whose own panels come from `own`, with the keys and values that they see.
  DEVICE static Errand of_queries(const AttentionRules& rules, int units, const Source (&own)[2],
                                  const TensorMap& qkv) {
    const int keys = rules.heads * rules.width, values = keys + rules.key_heads * rules.width;
    return {units,
            rules.heads,
            {own[0], own[1]},
            {{qkv, keys}, {qkv, values}},
            rules.before,
            rules.after,
            1,
            rules.heads / rules.key_heads};
  }

  // Units of keys and values, with the queries that see them and what comes back to these.
  DEVICE static Errand of_keys(const AttentionRules& rules, int units, const TensorMap& qkv,
                               const TensorMap& dout) {
    const int keys = rules.heads * rules.width, values = keys + rules.key_heads * rules.width;
    return {units,       rules.key_heads, {{qkv, keys}, {qkv, values}},  {{qkv, 0}, {dout, 0}},
            rules.after, rules.before,    rules.heads / rules.key_heads, 1};
  }

  DEVICE int met_head(int head) const { return head / sharing * met_heads; }
  template <class Ring>
  DEVICE Range reach(const TextTile& tile) const {
    return reach_of(tile, kUnitRows, Ring::met_rows, back, ahead);
  }
};

// One thread: a unit's own rows and all that it meets, by heads and then by rows.
template <class Ring>
DEVICE void fetch_unit(Ring& ring, const Turn<kUnits>& own, Turn<kMetStages>& met,
                       const Errand& errand, const Unit& unit) {
  constexpr int kRows = Ring::met_rows;
  const TextTile& tile = unit.tile;
  const int own_rows = tile.rows(kUnitRows) > kMmaRows ? kUnitRows : kMmaRows;
  Mbarrier& own_full = ring.own_full[own.stage];
  mbarrier_wait(ring.own_empty[own.stage], own.parity ^ 1);
  ring.unit[own.stage] = unit;
  mbarrier_arrive_expect(own_full, own_rows * Ring::row_bytes * Ring::panels);
  for (int panel = 0; panel < Ring::panels; ++panel) {
    const Source& source = errand.own[panel];
    for (int first = 0; first < own_rows; first += kRows) {
      ring.own[own.stage][panel].load(source.map, own_full, first,
                                      source.column + unit.head * Ring::width,
                                      int(tile.row()) + first);
    }
  }
  const Range reach = errand.reach<Ring>(tile);
  const int head = errand.met_head(unit.head);
  for (int other = head; other < head + errand.met_heads; ++other) {
    for (int first = reach.begin; first < reach.end; first += kRows, met.advance()) {
      Mbarrier& landed = ring.landed[met.stage];
      mbarrier_wait(ring.empty[met.stage], met.parity ^ 1);
      ring.rows[met.stage] = tile.tokens - first;
      mbarrier_arrive_expect(landed, 2 * kRows * Ring::row_bytes);
      for (int panel = 0; panel < 2; ++panel) {
        const Source& source = errand.met[panel];
        ring.met[met.stage][panel].load(source.map, landed, 0, source.column + other * Ring::width,
                                        tile.begin + first);
      }
    }
  }
}

// One warp: all units of this block, and then that there are no more.
template <class Ring>
DEVICE void fetch_units(Ring& ring, const AttentionRules& rules, const Errand& errand) {
  Turn<kUnits> own;
  Turn<kMetStages> met;
  for (int unit = int(blockIdx.x); unit < errand.units; unit += int(gridDim.x)) {
    const TextTile tile = tile_of_unit(rules, unit / errand.heads, errand.units / errand.heads);
    if (tile.is_none() || lane_id() != 0) continue;
    fetch_unit(ring, own, met, errand, Unit{tile, unit % errand.heads});
    own.advance();
  }
  if (lane_id() != 0) return;
  mbarrier_wait(ring.own_empty[own.stage], own.parity ^ 1);
  ring.unit[own.stage].head = -1;
  mbarrier_arrive(ring.own_full[own.stage]);
  mbarrier_wait(ring.empty[met.stage], met.parity ^ 1);
  ring.rows[met.stage] = -1;
  mbarrier_arrive(ring.landed[met.stage]);
}

// The first warp group of a block.
template <class Ring>
DEVICE void serve(Ring& ring, const AttentionRules& rules, const Errand& errand) {
  registers_give<kServingRegisters>();
  if (threadIdx.x < 32) fetch_units(ring, rules, errand);
  if (threadIdx.x / 32 == 1) ring.clear_tiles();
}

}  // namespace
}  // namespace inbatch::cuda
