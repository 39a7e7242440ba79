// The table of vector kernels: everything in cpu/ that is worth writing for an instruction set.
//
// One table per instruction set (kernels/baseline.cpp, avx2.cpp, avx512.cpp), all compiled from the
// same sources in kernels/; the first use picks the best that CPUID and XGETBV allow. avx2 and
// avx512 give the same bits: every reduction runs in 16 lanes, every product is one chain of fmas.
#pragma once

#include <cstdint>

#include "../ops/op.h"
#include "../ops/rates.h"

namespace inbatch::cpu {

// What an element begins with and what is done to it before it is stored.
struct Epilogue {
  const float* bias = nullptr;       // per column, before the products
  const float* row_scale = nullptr;  // per row, multiplies the sums
  Activation activation = Activation::None;
  float* pre = nullptr;  // where the value before the activation goes, stride c_row
  Activation gate = Activation::None;
  const float* gate_pre = nullptr;  // multiplies by gate'(gate_pre), stride c_row
  float scale = 1;                  // multiplies
};

// c (rows, columns) = a b, or c + a b when accumulate. Each element is one chain over depth in
// order.
struct Product {
  const float* a;  // element (r, k) at a[r * a_row + k] when in place
  int64_t a_row;
  bool packed;     // packed: groups of tile_rows rows, each [k][tile_rows], tile_rows * a_row apart
  const float* b;  // panel p at b + p * b_panel, element (k, lane) at [k * 16 + lane]
  int64_t b_panel;
  float* c;
  int64_t c_row;
  int64_t rows, columns, depth;
  bool accumulate = false;
  Epilogue epilogue = {};
};

// c += a^T b, both row-major and read in place. Each element is one chain over depth in order.
struct OuterProduct {
  const float* a;  // (depth, rows), rows a_row apart
  int64_t a_row;
  const float* b;  // (depth, columns), rows b_row apart
  int64_t b_row;
  float* c;
  int64_t c_row;
  int64_t rows, columns, depth;
};

// c = activation(float(a b - sums) factor scale + bias), sums of bytes; see ops/quantized.h.
struct ByteProduct {
  const uint8_t* a;     // rows of bytes, 128 too much, a_row apart
  int64_t a_row;        // bytes, 4 words
  const float* factor;  // per row
  const int32_t* b;     // panel p at b + p * b_panel, word k of 16 rows at [k * 16]
  int64_t b_panel;
  const float* scale;  // per column, readable to the end of a panel, as are sums
  const int32_t* sums;
  const float* bias;  // per column, or null
  Activation activation;
  float* c;
  int64_t c_row;
  int64_t rows, columns, words;
};

// The keys [first, first + count) of one key head of a text, packed for products; first is a
// multiple of 16. What an item does not need is null.
struct AttentionPanels {
  int64_t first, count;
  float *key_columns, *value_columns;  // keys as lanes: [count / 16][width][16]
  float *key_rows, *value_rows;        // columns as lanes: [width / 16][count][16]
};

// Queries of one head of a text against the keys of `panels`; pointers at the first row of the text
// and the head's first column. When the panels lack keys of the text, one item after another goes
// over them in order: o and dq are then added to and start from zero.
struct AttentionItem {
  const float *q, *k, *v;  // row stride qkv_row
  int64_t qkv_row;
  float* o;  // row stride o_row
  int64_t o_row;
  float* lse;  // row stride lse_row; may be null
  int64_t lse_row;
  int64_t tokens, width;  // tokens of the text, width of a head
  float scale, rate;
  bool causal;
  int64_t window;          // 0: none
  const float* distances;  // [key - query] is added to a score, readable 16 beyond; may be null
  RandomKey key;
  uint32_t text, site;  // site of this head
  AttentionPanels panels;
  int64_t query_begin, query_end;
  float *most, *sum;  // by query, of the keys before; null when the panels have all keys
  const float* dout;  // backward, row stride o_row
  float* dq;          // row stride qkv_row
  float *dk, *dv;     // added to, from the first key of the panels, row stride dkv_row
  int64_t dkv_row;
  float* ddistances;  // [key - query - ddistances_first] is added to, 16 beyond too; may be null
  int64_t ddistances_first;

  int64_t first_key(int64_t query) const {
    return window > 0 && query > window ? query - window : 0;
  }
  int64_t end_key(int64_t query) const {
    const int64_t end = causal ? query + 1 : window > 0 ? query + window + 1 : tokens;
    return end < tokens ? end : tokens;
  }
};

// Rows of two halves, pre_row apart: one goes through the activation, the other multiplies it.
struct GateRows {
  Activation activation;
  int64_t rows, columns;  // columns of a half
  const float *bent, *factor;
  int64_t pre_row;
  float* y = nullptr;  // forward; row stride columns
  const float* dy = nullptr;
  float *dbent = nullptr, *dfactor = nullptr;  // backward; row stride pre_row
};

struct NormRows {
  NormKind kind;
  float epsilon, offset;
  int64_t rows, columns;
  const float *x, *residual, *weight, *bias;
  float *sum, *y, *mean, *rstd;
};

struct NormGradientRows {
  NormKind kind;
  float offset;
  int64_t rows, columns;
  const float *sum, *weight, *mean, *rstd, *dy;
  float* dx;
};

// A strip of at most 32 columns of the heads of some rows (a norm of whole rows has one head).
// Pointers at the strip in the first head of the first row.
struct NormStrip {
  int64_t rows, heads, columns;
  const float *x, *dy;
  int64_t row, head;         // strides of x and dy
  const float *mean, *rstd;  // (rows, heads)
  float *dweight, *dbias;    // may be null
};

// Rows of x whose places in their text follow one another; see ops/rotary.h.
struct RotaryRows {
  float* x;
  int64_t x_row, rows, heads, width, pairs;
  const float *cos, *sin;  // of the first row; (rows, pairs)
  float magnitude, sign;   // sign: of the sine
};

struct AdamStep : AdamRates {
  float *weight, *gradient, *first, *second;
  int64_t size;
};

struct LionStep : LionRates {
  float *weight, *gradient, *first;
  int64_t size;
};

// Dot products of `rows` vectors with `lanes` others, made into softmax terms (ops/contrast.h).
// lanes is a multiple of 16; what lies beyond the last vector is no candidate.
struct ContrastTile {
  const float* dots;  // products, rows `stride` apart
  float* scores;      // what is made of them; may be the same memory
  int64_t stride, rows, lanes;
  const uint16_t* candidates;  // (rows, lanes / 16), a bit for each lane
  const float *row_factor, *lane_factor;
  // forward, per row: largest score, sum of exp relative to it, sum of scores, candidates; updated
  float *most = nullptr, *sum = nullptr, *total = nullptr;
  int32_t* count = nullptr;
  // backward, per row; sum of G s per row, added to
  const float *lse = nullptr, *dlse = nullptr, *shift = nullptr;
  float* along = nullptr;
  // backward of one of several widths: sums of what is left times its product, per row and per
  // lane, added to
  float *nested = nullptr, *nested_lanes = nullptr;
  // scores that are more than products: limits and the share that weighted ones gain
  bool bends = false;
  float lowest = 0, highest = 0, gain = 0;
  const uint16_t* weighted = nullptr;  // as candidates, or null
};

// Candidates of a tile that are removed for a score above the limit of their row.
struct ContrastStrike {
  const float* scores;  // dot products
  int64_t stride, rows, lanes;
  const float *row_factor, *lane_factor;
  const float* limit;
  uint16_t* candidates;  // (rows, lanes / 16), cleared
  const uint16_t* kept;  // these are not removed
  // how many, `counts` apart, and of all removed the largest score `shown` with its column;
  // updated, or null
  int32_t* removed;
  int64_t counts;
  const float *shown, *shown_row_factor, *shown_lane_factor;
  float* best;
  int32_t* best_column;
  int64_t first_column;
};

// For each row of x the largest of its first `columns` elements, where it is above `most`, and its
// place, of equal ones the first; places begin with `first`. What is NaN is not looked at. Rows are
// read up to a multiple of 16.
struct BestOfRows {
  const float* x;
  int64_t stride, rows, columns;
  int32_t first;
  float* most;     // updated
  int32_t* place;  // updated
};

struct Kernels {
  const char* name;
  int64_t tile_rows;  // rows of a packed group
  void (*product)(const Product&);
  // Rows of 8 bits around 128, each a multiple of 4 bytes, and what a unit of them means.
  void (*quantize_rows)(const float* x, int64_t rows, int64_t columns, uint8_t* bytes,
                        float* factor);
  void (*byte_product)(const ByteProduct&);
  void (*transpose_panels)(const float* x, int64_t row, int64_t rows, int64_t columns,
                           float* panels);
  void (*activation_forward)(Activation, const float* x, float* y, int64_t size);
  void (*activation_backward)(Activation, const float* x, const float* dy, float* dx, int64_t size);
  void (*gate_forward)(const GateRows&);
  void (*gate_backward)(const GateRows&);
  void (*dropout_row)(float* x, int64_t columns, uint32_t key, uint32_t threshold, float scale);
  void (*norm_forward)(const NormRows&);
  void (*norm_backward)(const NormGradientRows&);
  void (*norm_parameters)(const NormStrip&);
  void (*rotary)(const RotaryRows&);
  // Fills the panels with the keys [begin, end); begin is a multiple of 16.
  void (*attention_pack)(const AttentionItem&, int64_t begin, int64_t end);
  void (*attention_forward)(const AttentionItem&, const Stream&, Arena&);
  void (*attention_backward)(const AttentionItem&, const Stream&, Arena&);
  float (*dot)(const float* a, const float* b, int64_t size);
  void (*exp_row)(const float* x, float shift, float* y, int64_t size);  // y = exp(x - shift)
  double (*sum_squares)(const float* x, int64_t size);  // chains of 16 lanes over 4096 at a time
  void (*adamw)(const AdamStep&);
  void (*lion)(const LionStep&);
  void (*contrast_forward)(const ContrastTile&);
  void (*contrast_backward)(const ContrastTile&);
  // A bit for each key, 16 to a word, that is one of those wanted. Keys are read in whole words.
  void (*contrast_equal)(const float* keys, int64_t words, const float* wanted, int64_t count,
                         uint16_t* hits);
  void (*contrast_strike)(const ContrastStrike&);
  void (*add_rows)(const float* x, float* y, int64_t size);  // y += x; size a multiple of 16
  // Places in x (rows, columns), rows `stride` apart, of what is greater than the limit of its row,
  // and how many there are. Rows are read up to a multiple of 16.
  int64_t (*find_greater)(const float* x, int64_t stride, int64_t rows, int64_t columns,
                          const float* limit, int32_t* places);
  void (*best_of_rows)(const BestOfRows&);
  void (*outer_product)(const OuterProduct&);
  // sums += the sum of the rows of x, `stride` apart.
  void (*sum_rows)(const float* x, int64_t stride, int64_t rows, int64_t columns, float* sums);
  // y += scale x, and asks for as many elements of `soon`, which will be added to next.
  void (*add_scaled_row)(const float* x, float scale, float* y, int64_t columns, const float* soon);
  float (*burn)(int64_t rounds);  // independent chains of multiply-adds, for the peak
  int64_t flops_of_round;
};

const Kernels& kernels();
// The table of that name; null when this build or CPU has none. "avx512-plain" is avx512 without
// what newer processors add to it, with the same bits.
const Kernels* find_kernels(const char* name);
// Replaces the choice for the whole process; false when the CPU cannot run it. For tests and
// figures.
bool use_kernels(const char* name);

const Kernels& baseline_kernels();
#if defined(__x86_64__)
const Kernels& avx2_kernels();
const Kernels& avx512_kernels();
void vnni_byte_product(const ByteProduct&);
#endif

}  // namespace inbatch::cpu
