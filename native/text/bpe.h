// Byte pair encoding: the characters of a word, merged pair by pair, the best pair first.
#pragma once

#include "word_model.h"

namespace inbatch::text {

// The pairs that are merged, by the numbers of both pieces.
class Merges {
 public:
  struct Merge {
    uint32_t rank;
    int32_t piece;
  };
  // Numbers of left, right and both, end to end; of equal pairs the last counts.
  explicit Merges(const std::vector<int32_t>& triples);
  const Merge* find(int32_t left, int32_t right) const;

 private:
  struct Slot {
    uint64_t key;
    Merge merge;
  };
  size_t slot_of(uint64_t key) const;
  std::vector<Slot> slots_;
};

class Bpe : public WordModel {
 public:
  Bpe(const WordSettings& settings, Vocabulary vocabulary);
  void encode(Text word, Ids& ids) override;
  void forget() override { release(symbols_, candidates_, numbers_); }

 private:
  // A piece of the word, from `begin` to the next one; -1: of no number.
  struct Symbol {
    int32_t piece, previous, next;
    uint32_t begin, end;
  };
  // A pair that may be merged, unless one of both has changed.
  struct Candidate {
    uint32_t rank;
    int32_t at, left, right, both;
  };
  void read_symbols(Text word);
  int32_t piece_of(Text character, bool is_last) const;
  bool is_kept(Text character, int32_t piece, bool is_last);
  void merge();
  void consider(int32_t at);
  void add_symbol(Text word, const Symbol& symbol, Ids& ids);
  void fuse_unknown(size_t first, Ids& ids) const;

  Pieces pieces_;
  Merges merges_;
  WordSettings settings_;
  std::vector<Symbol> symbols_;
  std::vector<Candidate> candidates_;
  std::vector<int32_t> numbers_;
};

}  // namespace inbatch::text
