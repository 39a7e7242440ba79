// All kernels of one instruction set and their table; included inside its namespace.

#include "lanes.h"
#include "functions.h"
#include "tile.h"
#include "outer.h"
#include "quantized.h"
#include "rows.h"
#include "rotary.h"
#include "transpose.h"
#include "attention.h"
#include "choice.h"
#include "contrast.h"

inline Kernels table_of(const char* name) {
  Kernels table{};
  table.name = name;
  table.tile_rows = kTileRows;
  table.product = product;
  table.quantize_rows = quantize_rows;
  table.byte_product = byte_product;
  table.transpose_panels = transpose_panels;
  table.activation_forward = activation_forward;
  table.activation_backward = activation_backward;
  table.gate_forward = gate_forward;
  table.gate_backward = gate_backward;
  table.dropout_row = dropout_row;
  table.norm_forward = norm_forward;
  table.norm_backward = norm_backward;
  table.norm_parameters = norm_parameters;
  table.rotary = rotary;
  table.attention_pack = attention_pack;
  table.attention_forward = attention_forward;
  table.attention_backward = attention_backward;
  table.dot = dot;
  table.exp_row = exp_row;
  table.sum_squares = sum_squares;
  table.adamw = adamw;
  table.lion = lion;
  table.contrast_forward = contrast_forward;
  table.contrast_backward = contrast_backward;
  table.contrast_equal = contrast_equal;
  table.contrast_strike = contrast_strike;
  table.add_rows = add_rows;
  table.find_greater = find_greater;
  table.best_of_rows = best_of_rows;
  table.outer_product = outer_product;
  table.sum_rows = sum_rows;
  table.add_scaled_row = add_scaled_row;
  table.burn = burn;
  table.flops_of_round = kBurnChains * 32;
  return table;
}
