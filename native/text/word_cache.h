// Remembers the ids of short words, so that a common one is worked on once. Of two words with one
// place the later stays; its memory is bounded and never grows.
#pragma once

#include <cstring>
#include <span>
#include <vector>

#include "characters.h"

namespace inbatch::text {

class WordCache {
 public:
  WordCache() : entries_(kEntries) {}

  // Where the ids of a word are, or would be.
  struct Place {
    uint32_t entry, hash;
  };
  static bool fits(Text word) { return word.size() <= kUnits && !word.empty(); }

  // The ids of a word that fits; `place` says where they belong when there are none.
  std::span<const int32_t> find(Text word, Place& place) const {
    const uint64_t hash = hash_of(word);
    place = {uint32_t((hash >> 32) % kEntries), uint32_t(hash)};
    const Entry& entry = entries_[place.entry];
    const bool is_same = entry.hash == place.hash && entry.units == word.size() &&
                         !std::memcmp(entry.word, word.data(), word.size() * sizeof(char16_t));
    return {entry.ids, is_same ? entry.count : size_t(0)};
  }

  // Words of no ids are not kept.
  void keep(Text word, Place place, std::span<const int32_t> ids) {
    if (ids.empty() || ids.size() > kIds) return;
    Entry& entry = entries_[place.entry];
    entry.hash = place.hash;
    entry.units = uint8_t(word.size());
    entry.count = uint8_t(ids.size());
    std::memcpy(entry.word, word.data(), word.size() * sizeof(char16_t));
    std::memcpy(entry.ids, ids.data(), ids.size() * sizeof(int32_t));
  }

 private:
  static constexpr size_t kUnits = 24, kIds = 9, kEntries = 1 << 15;
  struct Entry {
    uint32_t hash = 0;
    uint8_t units = 0, count = 0;
    char16_t word[kUnits];
    int32_t ids[kIds];
  };

  static uint64_t hash_of(Text word) {
    constexpr uint64_t kOdd = 0x9e3779b97f4a7c15ull;
    uint64_t hash = word.size();
    while (word.size() >= 4) {
      uint64_t units;
      std::memcpy(&units, word.data(), sizeof units);
      hash = (hash ^ units) * kOdd;
      hash ^= hash >> 29;
      word.remove_prefix(4);
    }
    uint64_t rest = 0;
    std::memcpy(&rest, word.data(), word.size() * sizeof(char16_t));
    hash = (hash ^ rest) * kOdd;
    return (hash ^ hash >> 32) * kOdd;
  }

  std::vector<Entry> entries_;
};

}  // namespace inbatch::text
