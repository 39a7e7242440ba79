// Pieces by their letters. See trie.h.
#include "trie.h"

#include <algorithm>

namespace inbatch::text {

// Level by level, so that the children of a node stand side by side.
Trie::Trie(std::vector<std::pair<Text, int32_t>> pieces) : nodes_(1), units_(1) {
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
      nodes_.emplace_back();
      units_.push_back(unit);
      ranges.push_back({first, begin, depth + 1});
    }
    nodes_[node].count = int32_t(nodes_.size()) - nodes_[node].children;
  }
  const Node& root = nodes_.front();
  for (int32_t child = root.children; child < root.children + root.count; ++child) {
    const char16_t unit = units_[size_t(child)];
    roots_.resize(size_t(unit) + 1, kNone);
    roots_[unit] = child;
  }
}

int32_t Trie::search(const Node& node, char16_t unit) const {
  const char16_t* low = units_.data() + node.children;
  const char16_t* const end = low + node.count;
  for (int32_t count = node.count; count > 1;) {
    const int32_t half = count / 2;
    low += low[half] <= unit ? half : 0;
    count -= half;
  }
  return low < end && *low == unit ? int32_t(low - units_.data()) : kNone;
}

}  // namespace inbatch::text
