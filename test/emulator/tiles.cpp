// The tiles of a product of rows with a weight on Hopper, for a card of so many multiprocessors and
// threes of rows, columns and depth: tiles 132 16384 768 768 ... A line for each says how many
// columns tiles have that groups share, 0 for small ones, and whether they take turns instead.
#include <cstdio>
#include <cstdlib>

#include "../../native/cuda/tile_choice.h"

int main(int count, char** arguments) {
  using namespace inbatch::cuda;
  const long blocks = atol(arguments[1]);
  for (int at = 2; at + 2 < count; at += 3) {
    const long rows = atol(arguments[at]), columns = atol(arguments[at + 1]);
    const bool turns = takes_turns(rows, columns, atol(arguments[at + 2]), blocks);
    printf("%d %s\n", columns_of_tiles(rows, columns, blocks), turns ? "turns" : "shared");
  }
}
