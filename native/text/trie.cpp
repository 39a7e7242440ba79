// Pieces by their letters. See trie.h.
#include "trie.h"

#include <algorithm>

namespace inbatch::text {

// Level by level, so that the children of a node stand side by side.
Trie::Trie(std::vector<std::pair<Text, int32_t>> pieces) : nodes_(1) {
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  struct Range {
    size_t begin, end, depth;  // of pieces that begin with the letters of a node
  };
  std::vector<Range> ranges = {{0, pieces.size(), 0}};
  for (size_t node = 0; node < nodes_.size(); ++node) {
    auto [begin, end, depth] = ranges[node];
    for (; begin < end && pieces[begin].first.size() == depth; ++begin) {
      nodes_[node].value = pieces[begin].second;
    }
    nodes_[node].children = int32_t(nodes_.size());
    while (begin < end) {
      const char16_t unit = pieces[begin].first[depth];
      const size_t first = begin;
      while (begin < end && pieces[begin].first[depth] == unit) ++begin;
      nodes_.push_back({kNone, 0, 0, unit});
      ranges.push_back({first, begin, depth + 1});
    }
    nodes_[node].count = int32_t(nodes_.size()) - nodes_[node].children;
  }
  const Node& root = nodes_.front();
  for (int32_t child = root.children; child < root.children + root.count; ++child) {
    const char16_t unit = nodes_[size_t(child)].unit;
    roots_.resize(size_t(unit) + 1, kNone);
    roots_[unit] = child;
  }
}

int32_t Trie::search(const Node& node, char16_t unit) const {
  int32_t low = node.children, high = low + node.count;
  while (high - low > 8) {
    const int32_t middle = (low + high) / 2;
    (nodes_[size_t(middle)].unit <= unit ? low : high) = middle;
  }
  for (; low < high; ++low) {
    if (nodes_[size_t(low)].unit == unit) return low;
  }
  return kNone;
}

}  // namespace inbatch::text
