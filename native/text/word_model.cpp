// What the models of words have in common, and WordPiece. See word_model.h.
#include "word_model.h"

#include <cstdio>
#include <numeric>

#include "bpe.h"
#include "unigram.h"

namespace inbatch::text {
namespace {

Trie trie_of(const Vocabulary& vocabulary) {
  std::vector<std::pair<Text, int32_t>> pieces(size_t(vocabulary.size()));
  for (int32_t number = 0; number < vocabulary.size(); ++number) {
    pieces[size_t(number)] = {vocabulary.piece(number), number};
  }
  return Trie(std::move(pieces));
}

size_t count_characters(Text text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); at += character_at(text, at).units) ++count;
  return count;
}

}  // namespace

std::unique_ptr<WordModel> open_word_model(const WordSettings& settings, Vocabulary vocabulary) {
  switch (settings.kind) {
    case ModelKind::WordPiece:
      return std::make_unique<WordPiece>(settings, std::move(vocabulary));
    case ModelKind::Bpe:
      return std::make_unique<Bpe>(settings, std::move(vocabulary));
    default:
      return std::make_unique<Unigram>(settings, std::move(vocabulary));
  }
}

Pieces::Pieces(Vocabulary list) : vocabulary(std::move(list)), trie(trie_of(vocabulary)) {
  for (size_t byte = 0; byte < bytes.size(); ++byte) {
    char name[7];
    std::snprintf(name, sizeof name, "<0x%02X>", unsigned(byte));
    bytes[byte] = trie.find(std::u16string(name, name + 6));
  }
}

bool add_bytes(const Pieces& pieces, Text text, std::vector<int32_t>& numbers) {
  const size_t size = numbers.size();
  bool is_whole = true;
  for_each_byte(text, [&](uint8_t byte) {
    numbers.push_back(pieces.bytes[byte]);
    is_whole = is_whole && pieces.bytes[byte] >= 0;
  });
  if (!is_whole) numbers.resize(size);
  return is_whole;
}

WordPiece::WordPiece(const WordSettings& settings, Vocabulary vocabulary)
    : pieces_(std::move(vocabulary)),
      unknown_(pieces_.id(settings.unknown)),
      continuing_(pieces_.trie.walk(Trie::kRoot, settings.prefix)),
      longest_word_(size_t(settings.longest_word)) {}

void WordPiece::encode(Text word, Ids& ids) {
  const size_t size = ids.size();
  bool is_known = word.size() <= longest_word_ || count_characters(word) <= longest_word_;
  for (size_t at = 0; is_known && at < word.size();) {
    at = add_piece(word, at, ids);
    is_known = at > 0;
  }
  if (is_known) return;
  ids.resize(size);
  ids.push_back(unknown_);
}

// Adds the longest piece at `begin` and returns where it ends, or 0 when none fits.
size_t WordPiece::add_piece(Text word, size_t begin, Ids& ids) const {
  int32_t node = begin == 0 ? Trie::kRoot : continuing_;
  int32_t longest = -1;
  size_t end = 0;
  for (size_t at = begin; at < word.size() && node != Trie::kNone; ++at) {
    node = pieces_.trie.step(node, word[at]);
    const int32_t value = pieces_.trie.value(node);
    if (value < 0) continue;
    longest = value;
    end = at + 1;
  }
  if (end > 0) ids.push_back(pieces_.id(longest));
  return end;
}

}  // namespace inbatch::text
