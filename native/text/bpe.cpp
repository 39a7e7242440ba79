// Byte pair encoding. See bpe.h.
#include "bpe.h"

#include <algorithm>
#include <bit>

namespace inbatch::text {
namespace {

constexpr uint64_t kEmpty = ~uint64_t(0);

uint64_t key_of(int32_t left, int32_t right) {
  return uint64_t(uint32_t(left)) << 32 | uint32_t(right);
}

}  // namespace

Merges::Merges(const std::vector<int32_t>& triples) {
  slots_.assign(std::bit_ceil(triples.size() / 3 * 2 + 1), {kEmpty, {0, 0}});
  for (size_t n = 0; n + 2 < triples.size(); n += 3) {
    const uint64_t key = key_of(triples[n], triples[n + 1]);
    slots_[slot_of(key)] = {key, {uint32_t(n / 3), triples[n + 2]}};
  }
}

// The place of the key, or the empty one where it would be.
size_t Merges::slot_of(uint64_t key) const {
  size_t slot = size_t((key * 0x9e3779b97f4a7c15ull) >> 32);
  for (;; ++slot) {
    slot &= slots_.size() - 1;
    if (slots_[slot].key == key || slots_[slot].key == kEmpty) return slot;
  }
}

const Merges::Merge* Merges::find(int32_t left, int32_t right) const {
  if (left < 0 || right < 0) return nullptr;
  const Slot& slot = slots_[slot_of(key_of(left, right))];
  return slot.key == kEmpty ? nullptr : &slot.merge;
}

Bpe::Bpe(const WordSettings& settings, Vocabulary vocabulary)
    : pieces_(std::move(vocabulary)), merges_(pieces_.vocabulary.merges), settings_(settings) {}

void Bpe::encode(Text word, Ids& ids) {
  if (word.empty()) return;
  if (settings_.ignore_merges) {
    const int32_t whole = pieces_.trie.find(word);
    if (whole >= 0) {
      ids.push_back(pieces_.id(whole));
      return;
    }
  }
  read_symbols(word);
  merge();
  const size_t first = ids.size();
  for (int32_t at = 0; at >= 0; at = symbols_[size_t(at)].next) {
    add_symbol(word, symbols_[size_t(at)], ids);
  }
  if (settings_.fuse_unknown) fuse_unknown(first, ids);
}

void Bpe::read_symbols(Text word) {
  symbols_.clear();
  for (size_t at = 0; at < word.size();) {
    const size_t units = character_at(word, at).units;
    const bool is_last = at + units == word.size();
    const Text character = word.substr(at, units);
    const int32_t piece = piece_of(character, is_last);
    if (is_kept(character, piece, is_last)) {
      const int32_t number = int32_t(symbols_.size());
      const int32_t next = is_last ? -1 : number + 1;
      symbols_.push_back({piece, number - 1, next, uint32_t(at), uint32_t(at + units)});
    }
    at += units;
  }
}

int32_t Bpe::piece_of(Text character, bool is_last) const {
  const int32_t node = pieces_.trie.walk(Trie::kRoot, character);
  return pieces_.trie.value(is_last ? pieces_.trie.walk(node, settings_.suffix) : node);
}

// Without a piece for what is unknown such characters go before what is left of the word is merged;
// the last one closes nothing up, and carries the suffix.
bool Bpe::is_kept(Text character, int32_t piece, bool is_last) {
  if (settings_.unknown >= 0 || is_last || piece >= 0) return true;
  numbers_.clear();
  return settings_.byte_fallback && add_bytes(pieces_, character, numbers_);
}

void Bpe::merge() {
  const auto is_worse = [](const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
  };
  candidates_.clear();
  for (size_t at = 0; at + 1 < symbols_.size(); ++at) consider(int32_t(at));
  std::make_heap(candidates_.begin(), candidates_.end(), is_worse);
  while (!candidates_.empty()) {
    const Candidate best = candidates_.front();
    std::pop_heap(candidates_.begin(), candidates_.end(), is_worse);
    candidates_.pop_back();
    Symbol& left = symbols_[size_t(best.at)];
    if (left.piece != best.left || left.next < 0) continue;
    Symbol& right = symbols_[size_t(left.next)];
    if (right.piece != best.right) continue;
    left.piece = best.both;
    left.end = right.end;
    left.next = right.next;
    right.piece = -1;
    right.next = -1;
    if (left.next >= 0) symbols_[size_t(left.next)].previous = best.at;
    for (const int32_t at : {left.previous, best.at}) {
      const size_t size = candidates_.size();
      if (at >= 0) consider(at);
      if (candidates_.size() > size) {
        std::push_heap(candidates_.begin(), candidates_.end(), is_worse);
      }
    }
  }
}

// Adds the pair that begins at a symbol to the candidates, if it can be merged.
void Bpe::consider(int32_t at) {
  const Symbol& left = symbols_[size_t(at)];
  if (left.next < 0) return;
  const int32_t right = symbols_[size_t(left.next)].piece;
  const Merges::Merge* merge = merges_.find(left.piece, right);
  if (merge) candidates_.push_back({merge->rank, at, left.piece, right, merge->piece});
}

void Bpe::add_symbol(Text word, const Symbol& symbol, Ids& ids) {
  if (symbol.piece >= 0) {
    ids.push_back(pieces_.id(symbol.piece));
    return;
  }
  numbers_.clear();
  std::u16string unknown(word.substr(symbol.begin, symbol.end - symbol.begin));
  if (symbol.end == word.size()) unknown += settings_.suffix;
  if (settings_.byte_fallback && add_bytes(pieces_, unknown, numbers_)) {
    for (const int32_t number : numbers_) ids.push_back(pieces_.id(number));
  } else if (settings_.unknown >= 0) {
    ids.push_back(pieces_.id(settings_.unknown));
  }
}

// Of several unknown pieces side by side one is left.
void Bpe::fuse_unknown(size_t first, Ids& ids) const {
  if (settings_.unknown < 0) return;
  const int32_t unknown = pieces_.id(settings_.unknown);
  const auto both = [&](int32_t a, int32_t b) { return a == unknown && b == unknown; };
  ids.erase(std::unique(ids.begin() + std::ptrdiff_t(first), ids.end(), both), ids.end());
}

}  // namespace inbatch::text
