// From one word to ids: what WordPiece, BPE and Unigram have in common.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "characters.h"
#include "definition.h"
#include "trie.h"

namespace inbatch::text {

using Ids = std::vector<int32_t>;

class WordModel {
 public:
  virtual ~WordModel() = default;
  // Adds the ids of a word.
  virtual void encode(Text word, Ids& ids) = 0;
  // Gives back what a long word took.
  virtual void forget() {}
};

std::unique_ptr<WordModel> open_word_model(const WordSettings& settings, Vocabulary vocabulary);

// A vocabulary whose pieces are found by their letters.
struct Pieces {
  explicit Pieces(Vocabulary list);
  int32_t id(int32_t number) const { return vocabulary.ids[size_t(number)]; }

  Vocabulary vocabulary;
  Trie trie;
  std::array<int32_t, 256> bytes;  // the piece of each byte, like <0x0A>; -1 when there is none
};

// Adds the pieces of the bytes of a text in UTF-8; false, and nothing added, when one has none.
bool add_bytes(const Pieces& pieces, Text text, std::vector<int32_t>& numbers);

// The longest piece at each place, from left to right; a word with a gap is unknown as a whole.
class WordPiece : public WordModel {
 public:
  WordPiece(const WordSettings& settings, Vocabulary vocabulary);
  void encode(Text word, Ids& ids) override;

 private:
  size_t add_piece(Text word, size_t begin, Ids& ids) const;

  Pieces pieces_;
  int32_t unknown_, continuing_;  // continuing: the node of the prefix
  size_t longest_word_;
};

}  // namespace inbatch::text
