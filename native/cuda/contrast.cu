// Contrastive softmax. Contract: ops/contrast.h. Kernels: contrast_forward.cuh and
// contrast_backward.cuh, over the tiles of contrast_tiles.cuh.
#include "../ops/contrast.h"

#include <algorithm>
#include <initializer_list>
#include <type_traits>

#include "contrast_backward.cuh"
#include "contrast_forward.cuh"
#include "elements.cuh"

namespace inbatch::cuda {
namespace {

// factor (W, vectors) = scale (vectors, W) / temperature.
struct FactorBody {
  const float *scale, *temperature;  // null: 1
  float* factor;
  int64_t count, widths;
  DEVICE void operator()(int64_t i) const {
    const int64_t nested = i / count, row = i % count;
    const double length = scale ? double(scale[row * widths + nested]) : 1.0;
    factor[i] = float(temperature ? length / double(*temperature) : length);
  }
};

struct RoundBody {
  const float* x;
  bf16* rounded;
  DEVICE void operator()(int64_t i) const { rounded[i] = bf16(x[i]); }
};

// out (width, pitch) = x (pitch, width) transposed; beyond the last vector zero.
struct TransposeBody {
  const bf16* x;
  bf16* out;
  int64_t count, width, pitch;
  DEVICE void operator()(int64_t i) const {
    const int64_t column = i / pitch, row = i % pitch;
    out[i] = row < count ? x[row * width + column] : bf16(0.0f);
  }
};

Vectors vectors_of(const Stream& stream, const Tensor& x, const Tensor& scale, int64_t widths,
                   const float* temperature, bool rounds) {
  float* factor = stream.scratch().tensor(widths, x.rows).f32();
  over_elements(stream, widths * x.rows,
                FactorBody{scale.f32(), temperature, factor, x.rows, widths});
  Vectors vectors{x.f32(), x.rows, x.cols, factor, nullptr};
  if (!rounds) return vectors;
  bf16* rounded = stream.scratch().tensor(x.rows, x.cols, Type::BF16).as<bf16>();
  over_elements(stream, x.size(), RoundBody{x.f32(), rounded});
  vectors.rounded = rounded;
  return vectors;
}

// The vectors in the type that products are of.
template <class T>
const T* operands_of(const Vectors& vectors) {
  if constexpr (std::is_same_v<T, float>) {
    return vectors.x;
  } else {
    return vectors.rounded;
  }
}

ContrastView view_of(const Stream& stream, const ContrastOperands& op) {
  const int64_t widths = op.width_count();
  ContrastView view{};
  const bool rounds = op.short_products;
  view.rows = vectors_of(stream, op.rows, op.row_scale, widths, op.temperature.f32(), rounds);
  view.columns = vectors_of(stream, op.columns, op.column_scale, widths, nullptr, rounds);
  if (!op.guide_limit.empty()) {
    const auto guide = [&](const Tensor& x, const Tensor& scale) {
      return vectors_of(stream, x, scale, 1, nullptr, rounds);
    };
    view.guide_rows = guide(op.guide_rows, op.guide_row_scale);
    view.guide_columns = guide(op.guide_columns, op.guide_column_scale);
  }
  view.temperature = op.temperature.f32();
  view.owner = op.owner.i32();
  view.widths = op.widths.i32();
  view.width_count = widths;
  view.candidates = op;
  view.lowest = op.lowest;
  view.highest = op.highest;
  view.hardness = op.hardness;
  view.bends = op.bends();
  view.weighs_own = op.weighs_own;
  view.weighs_others = op.weighs_others;
  view.list_offsets = op.list_offsets.i32();
  view.list_keys = op.list_keys.i32();
  view.column_keys = op.column_keys.i32();
  view.lists = op.list_offsets.rows;
  view.keys = op.list_keys.size();
  view.row_set = op.row_set.i32();
  view.column_set = op.column_set.i32();
  view.limit = op.limit.f32();
  view.guide_limit = op.guide_limit.f32();
  return view;
}

// Either kind of count; the other is null.
float* count_f32(const Tensor& count) { return count.type == Type::F32 ? count.f32() : nullptr; }
int32_t* count_i32(const Tensor& count) { return count.type == Type::I32 ? count.i32() : nullptr; }

int64_t rounded_to_tiles(int64_t lines) { return tiles_of(lines) * kTile; }

// A store for as many rows and columns as fit, and at least a tile of them.
template <class T>
CoefficientStore<T> store_of(Arena& arena, const ContrastBackward& op) {
  const int64_t widths = op.width_count();
  CoefficientStore<T> store{};
  store.rows = std::min(kStoredLines, rounded_to_tiles(op.rows.rows));
  const int64_t fit = kStored / (store.rows * widths) / kTile * kTile;
  const int64_t most = std::clamp<int64_t>(fit, kTile, kStoredLines);
  store.columns = std::min(most, rounded_to_tiles(op.columns.rows));
  store.pitch = store.columns;
  store.plane = store.rows * store.pitch;
  const bool is_wanted = !op.drows.empty() || !op.dcolumns.empty();
  if (is_wanted) {
    const size_t bytes = size_t(widths * store.plane) * sizeof(T);
    store.coefficients = static_cast<T*>(arena.push(bytes));
  }
  store.met =
      arena.tensor(store.row_tiles(), store.column_tiles(), Type::U8).template as<uint8_t>();
  if (op.widths.empty()) return store;
  const auto parts = [&](int64_t tiles, int64_t lines) {
    return arena.tensor(widths * tiles, lines).f32();
  };
  if (!op.row_scale.empty()) store.along_rows = parts(store.column_tiles(), store.rows);
  if (!op.column_scale.empty()) store.along_columns = parts(store.row_tiles(), store.columns);
  return store;
}

// A gradient of vectors as it grows.
struct Growing {
  const Tensor& dx;
  const Tensor& x;
  const Tensor& scale;
  float* along;  // (W, vectors); null: of one width
};

float* zeros(const Stream& stream, int64_t size) {
  const Tensor x = stream.scratch().tensor(1, size);
  stream.clear(x.data, size_t(x.bytes()));
  return x.f32();
}

// x: of the other side, in rows or, of `pitch` vectors, transposed.
template <class T, bool across>
void add_gradient(const Stream& stream, const ContrastView& view, const CoefficientStore<T>& store,
                  const Growing& to, const T* x, int64_t pitch) {
  using Shared = typename GradientTile<T, across>::Shared;
  if (to.dx.empty()) return;
  const int64_t first = across ? store.first_column : store.first_row;
  const int64_t other = across ? store.first_row : store.first_column;
  const int64_t lines = across ? store.columns : store.rows, width = to.dx.cols;
  const bool is_transposed = GradientTile<T, across>::is_transposed;
  const VectorGradient<T> form{
      view,  store,     to.dx.f32() + first * width, x + (is_transposed ? other : other * width),
      pitch, other == 0};
  const dim3 blocks(blocks_of(tiles_of(lines), 1), blocks_of(tiles_of(width), 1),
                    unsigned(view.width_count));
  launch(stream, {blocks, dim3(kTileThreads), sizeof(Shared)}, add_vector_gradient<T, across>,
         form);
}

void join_along(const Stream& stream, const Growing& to, const float* parts, int64_t widths,
                const JoinAlong& where) {
  if (!parts) return;
  JoinAlong join = where;
  join.along = to.along;
  join.parts = parts;
  join.count = to.x.rows;
  over_elements(stream, widths * where.lines, join);
}

void finish(const Stream& stream, const ContrastView& view, const Growing& of) {
  if (of.dx.empty() || of.scale.empty()) return;
  launch(stream, rows_extent(of.x.rows), take_out_along, view, of.dx.f32(), of.x.f32(),
         of.scale.f32(), static_cast<const float*>(of.along), of.x.rows);
}

SoftmaxTerms terms_of(const Stream& stream, const ContrastBackward& op) {
  const int64_t rows = op.rows.rows, widths = op.width_count();
  const Tensor out = stream.scratch().tensor(3, rows * widths);
  const auto plane = [&](int n) { return out.slice(n, 1).f32(); };
  over_elements(stream, rows * widths,
                TermsBody{op.lse.f32(), op.dlse.f32(), op.dmean.f32(), count_f32(op.count),
                          count_i32(op.count), plane(0), plane(1), plane(2), rows, widths});
  return {plane(0), plane(1), plane(2)};
}

// RowNorms: a warp has a row.
__global__ void __launch_bounds__(kRowThreads)
    row_norms(float* inverse, const float* x, const int32_t* widths, int64_t width_count,
              int64_t rows, int64_t columns) {
  const int64_t row = row_of_warp();
  if (row >= rows) return;
  float squares = 0;
  int64_t begin = 0;
  for (int64_t nested = 0; nested < width_count; ++nested) {
    const int64_t said = widths ? widths[nested] : columns;
    const int64_t end = said < begin ? begin : said < columns ? said : columns;
    float sum = 0;
    for (int64_t j = begin + lane_of_row(); j < end; j += 32) {
      sum = fmaf(x[row * columns + j], x[row * columns + j], sum);
    }
    squares += warp_sum(sum);
    const float length = sqrtf(squares);
    const float inverted = 1.0f / (length < 1e-12f ? 1e-12f : length);
    if (lane_of_row() == 0) inverse[row * width_count + nested] = inverted;
    begin = end;
  }
}

template <class T>
void run_backward(const Stream& stream, const ContrastBackward& op) {
  Arena& arena = stream.scratch();
  Scope scope(arena);
  const int64_t rows = op.rows.rows, columns = op.columns.rows, widths = op.width_count();
  if (rows == 0 || columns == 0) {
    for (const Tensor& dx : {op.drows, op.dcolumns, op.dtemperature}) {
      stream.clear(dx.data, size_t(dx.bytes()));
    }
    return;
  }
  const ContrastView view = view_of(stream, op);
  const SoftmaxTerms terms = terms_of(stream, op);
  const int64_t tiles = tiles_of(rows) * tiles_of(columns);
  double* along = arena.tensor(1, tiles, Type::F64).as<double>();
  const bool is_nested = !op.widths.empty();
  const Growing of_rows{op.drows, op.rows, op.row_scale,
                        is_nested ? zeros(stream, widths * rows) : nullptr};
  const Growing of_columns{op.dcolumns, op.columns, op.column_scale,
                           is_nested ? zeros(stream, widths * columns) : nullptr};
  const CoefficientStore<T> whole = store_of<T>(arena, op);
  // The columns as the gradient of the rows reads them.
  const T* passing = operands_of<T>(view.columns);
  int64_t pitch = 0;
  if constexpr (GradientTile<T, false>::is_transposed) {
    pitch = (columns + kChunk - 1) / kChunk * kChunk;
    T* out = arena.tensor(op.columns.cols, pitch, Type::BF16).as<T>();
    over_elements(stream, op.columns.cols * pitch,
                  TransposeBody{passing, out, columns, op.columns.cols, pitch});
    passing = out;
  }
  for (int64_t row = 0; row < rows; row += whole.rows) {
    for (int64_t column = 0; column < columns; column += whole.columns) {
      CoefficientStore<T> store = whole;
      store.first_row = row;
      store.rows = std::min(whole.rows, rows - row);
      store.first_column = column;
      store.columns = std::min(whole.columns, columns - column);
      launch(stream,
             {dim3(blocks_of(store.row_tiles() * store.column_tiles(), 1)), dim3(kTileThreads),
              sizeof(CoefficientShared<T>)},
             contrast_coefficients<T>, view, terms, store, along);
      add_gradient<T, false>(stream, view, store, of_rows, passing, pitch);
      add_gradient<T, true>(stream, view, store, of_columns, operands_of<T>(view.rows), 0);
      join_along(stream, of_rows, store.along_rows, widths,
                 {nullptr, nullptr, 0, row, store.rows, store.column_tiles()});
      join_along(stream, of_columns, store.along_columns, widths,
                 {nullptr, nullptr, 0, column, store.columns, store.row_tiles()});
    }
  }
  finish(stream, view, of_rows);
  finish(stream, view, of_columns);
  if (op.dtemperature.empty()) return;
  sum_numbers(stream, along, 1, tiles, StoreTemperature{view.temperature, op.dtemperature.f32()});
}

}  // namespace

template <>
void run<ContrastForward>(const Stream& stream, const ContrastForward& op) {
  Arena& arena = stream.scratch();
  Scope scope(arena);
  const int64_t rows = op.rows.rows, widths = op.width_count();
  const ContrastView view = view_of(stream, op);
  ForwardState state{};
  state.groups = (tiles_of(op.columns.rows) + kGroupTiles - 1) / kGroupTiles;
  const int64_t all = state.groups * rows;
  state.softmax = static_cast<RowSoftmax*>(arena.push(size_t(all * widths) * sizeof(RowSoftmax)));
  state.counts = arena.tensor(1, all, Type::I32).i32();
  if (!op.suspects.empty()) {
    state.suspects = static_cast<Suspect*>(arena.push(size_t(all) * sizeof(Suspect)));
  }
  if (!op.removed.empty()) {
    const size_t bytes = size_t(op.rules()) * sizeof(unsigned long long);
    state.removed = static_cast<unsigned long long*>(arena.push(bytes));
    stream.clear(state.removed, bytes);
  }
  const dim3 blocks(blocks_of(state.groups * tiles_of(rows), 1)), threads(kTileThreads);
  if (op.short_products) {
    launch(stream, {blocks, threads, sizeof(ContrastShared<bf16>)}, contrast_forward<bf16>, view,
           state);
  } else {
    launch(stream, {blocks, threads, sizeof(ContrastShared<float>)}, contrast_forward<float>, view,
           state);
  }
  const ForwardResult result{op.lse.f32(), op.mean.f32(), count_i32(op.count), count_f32(op.count),
                             op.suspects.f32()};
  over_elements(stream, rows, CloseRow{state, result, rows, widths});
  if (op.removed.empty()) return;
  over_elements(stream, op.rules(), StoreRemoved{state.removed, op.removed.f32()});
}

template <>
void run<ContrastBackward>(const Stream& stream, const ContrastBackward& op) {
  op.short_products ? run_backward<bf16>(stream, op) : run_backward<float>(stream, op);
}

template <>
void run<RowNorms>(const Stream& stream, const RowNorms& op) {
  launch(stream, rows_extent(op.x.rows), row_norms, op.inverse.f32(), op.x.f32(), op.widths.i32(),
         std::max<int64_t>(1, op.widths.size()), op.x.rows, op.x.cols);
}

}  // namespace inbatch::cuda
