// Pieces by their letters, one UTF-16 unit a step.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "characters.h"

namespace inbatch::text {

class Trie {
 public:
  static constexpr int32_t kRoot = 0, kNone = -1;

  Trie() : nodes_(1), units_(1) {}
  // Pieces with their values; of equal ones the last counts.
  explicit Trie(std::vector<std::pair<Text, int32_t>> pieces);

  // The node that `unit` leads to; kNone when there is none.
  int32_t step(int32_t node, char16_t unit) const {
    if (node != kRoot) return search(nodes_[size_t(node)], unit);
    return unit < roots_.size() ? roots_[unit] : kNone;
  }
  // The node of a whole text; kNone when no piece begins so.
  int32_t walk(int32_t node, Text text) const {
    for (size_t at = 0; at < text.size() && node != kNone; ++at) node = step(node, text[at]);
    return node;
  }
  // What belongs to the piece that ends at a node, or kNone.
  int32_t value(int32_t node) const { return node == kNone ? kNone : nodes_[size_t(node)].value; }
  int32_t find(Text piece) const { return value(walk(kRoot, piece)); }

 private:
  struct Node {
    int32_t value = kNone;
    int32_t children = 0;  // the first of them; they stand side by side, by unit
    int32_t count = 0;
  };
  int32_t search(const Node& node, char16_t unit) const;

  std::vector<Node> nodes_;
  std::vector<char16_t> units_;  // that lead to them
  std::vector<int32_t> roots_;   // children of the root, by unit
};

}  // namespace inbatch::text
