// The tiles of a product with weights on Hopper, for a card of so many multiprocessors and pairs of
// rows and columns: tiles 132 16384 768 ... A line for each says how many columns the tiles have, 0
// for small ones.
#include <cstdio>
#include <cstdlib>

#include "../../native/cuda/tile_choice.h"

int main(int count, char** arguments) {
  for (int at = 2; at + 1 < count; at += 2) {
    const long rows = atol(arguments[at]), columns = atol(arguments[at + 1]);
    printf("%d\n", inbatch::cuda::columns_of_tiles(rows, columns, atol(arguments[1])));
  }
}
