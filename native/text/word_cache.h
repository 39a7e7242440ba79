// Remembers the ids of short words, so that a common one is worked on once. A place has room for
// two words, of which the one that came later stays; its memory is bounded and never grows.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>

#include "characters.h"

namespace inbatch::text {

class WordCache {
 public:
  // Zeros of the system are no memory until they are written.
  WordCache() : memory_(std::calloc(kEntries + 1, sizeof(Entry)), &std::free) {
    size_t room = (kEntries + 1) * sizeof(Entry);
    void* begin = memory_.get();
    if (!begin) throw std::bad_alloc();
    entries_ = static_cast<Entry*>(std::align(alignof(Entry), sizeof(Entry), begin, room));
  }

  // Where the ids of a word are, or would be.
  struct Place {
    uint32_t entry, hash;
  };
  static bool fits(Text word) { return word.size() <= kUnits && !word.empty(); }

  // The ids of a word that fits; `place` says where they belong when there are none.
  std::span<const int32_t> find(Text word, Place& place) const {
    const uint64_t hash = hash_of(word);
    place = {uint32_t((hash >> 32) % (kEntries / 2)) * 2, uint32_t(hash)};
    for (const Entry* entry = &entries_[place.entry]; entry <= &entries_[place.entry + 1];
         ++entry) {
      if (entry->holds(word, place.hash)) return {entry->ids, entry->count};
    }
    return {};
  }

  // Words of no ids are not kept.
  void keep(Text word, Place place, std::span<const int32_t> ids) {
    if (ids.empty() || ids.size() > kIds) return;
    Entry& entry = entries_[place.entry];
    entries_[place.entry + 1] = entry;
    entry.hash = place.hash;
    entry.units = uint8_t(word.size());
    entry.count = uint8_t(ids.size());
    std::memcpy(entry.word, word.data(), word.size() * sizeof(char16_t));
    std::memcpy(entry.ids, ids.data(), ids.size() * sizeof(int32_t));
  }

 private:
  static constexpr size_t kUnits = 16, kIds = 6, kEntries = 1 << 16;
  struct alignas(64) Entry {  // a line of the processor's cache; all zeros: no word
    uint32_t hash;
    uint8_t units, count;
    char16_t word[kUnits];
    int32_t ids[kIds];

    bool holds(Text other, uint32_t other_hash) const {
      return hash == other_hash && units == other.size() &&
             !std::memcmp(word, other.data(), other.size() * sizeof(char16_t));
    }
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

  std::unique_ptr<void, void (*)(void*)> memory_;
  Entry* entries_;
};

}  // namespace inbatch::text
