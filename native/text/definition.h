// What a tokenizer is: the sections of its tokenizer.json that are worked on here. Whoever makes
// one has checked it; a section that is not among these kinds is not for this folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "../ops/op.h"

namespace inbatch::text {

enum class NormalizerKind : uint8_t { Forms, Replace, ReplaceSpaces, Strip, Prepend };
enum class SplitKind : uint8_t {
  Bert,
  ByteLevel,
  Delimiter,
  Digits,
  Literal,
  Marks,
  Metaspace,
  Punctuation,
  Gpt2,
  Cl100k,
  Whitespace,
  WhitespaceSplit,
};
// What becomes of the matches of a pattern.
enum class Behavior : uint8_t {
  Removed,
  Isolated,
  MergedWithPrevious,
  MergedWithNext,
  Contiguous,
};
// Before which pieces a metaspace is put: none, the one that begins the text, or all.
enum class Prepending : uint8_t { Never, First, Always };
enum class ModelKind : uint8_t { WordPiece, Bpe, Unigram };

struct NormalizerStep {
  NormalizerKind kind = NormalizerKind::Forms;
  std::u16string pattern, content;   // Replace; ReplaceSpaces and Prepend have content only
  bool left = false, right = false;  // Strip
  bool counted = false;              // Forms: whether all that it makes counts as growth

  static constexpr auto fields() {
    using S = NormalizerStep;
    return std::tuple(field("kind", &S::kind), field("pattern", &S::pattern),
                      field("content", &S::content), field("left", &S::left),
                      field("right", &S::right), field("counted", &S::counted));
  }
};

struct SplitStep {
  SplitKind kind = SplitKind::Bert;
  std::u16string pattern;  // Delimiter, Literal, and the mark of Marks and Metaspace
  Behavior behavior = Behavior::Isolated;
  bool inverted = false;      // Literal: what does not match counts as the match
  bool individual = false;    // Digits
  bool prefix_space = false;  // ByteLevel
  bool use_regex = false;     // ByteLevel
  bool splits = false;        // Metaspace
  Prepending prepending = Prepending::Never;
  int32_t digits = 1;  // Cl100k: the most of a word of digits

  static constexpr auto fields() {
    using S = SplitStep;
    return std::tuple(field("kind", &S::kind), field("pattern", &S::pattern),
                      field("behavior", &S::behavior), field("inverted", &S::inverted),
                      field("individual", &S::individual), field("prefixSpace", &S::prefix_space),
                      field("useRegex", &S::use_regex), field("splits", &S::splits),
                      field("prepending", &S::prepending), field("digits", &S::digits));
  }
};

struct AddedToken {
  int32_t id = 0;
  std::u16string content;  // as it is met
  bool single_word = false, lstrip = false, rstrip = false, normalized = false;

  static constexpr auto fields() {
    using S = AddedToken;
    return std::tuple(field("id", &S::id), field("content", &S::content),
                      field("singleWord", &S::single_word), field("lstrip", &S::lstrip),
                      field("rstrip", &S::rstrip), field("normalized", &S::normalized));
  }
};

// The pieces of a vocabulary end to end, and what belongs to each by its number; of equal ones the
// last counts.
struct Vocabulary {
  std::u16string text;
  std::vector<int32_t> ends;  // in text
  std::vector<int32_t> ids;
  std::vector<double> scores;   // Unigram
  std::vector<int32_t> merges;  // BPE, best first: numbers of left, right and both, end to end

  int32_t size() const { return int32_t(ends.size()); }
  std::u16string_view piece(int32_t number) const {
    const int32_t begin = number > 0 ? ends[size_t(number) - 1] : 0;
    return std::u16string_view(text).substr(size_t(begin), size_t(ends[size_t(number)] - begin));
  }
};

struct WordSettings {
  ModelKind kind = ModelKind::WordPiece;
  int32_t unknown = -1;      // number of its piece; -1: none, what is unknown is dropped
  std::u16string prefix;     // WordPiece: what a piece begins with that continues a word
  int32_t longest_word = 0;  // WordPiece, in characters
  std::u16string suffix;     // BPE: what the last piece of a word ends with
  bool fuse_unknown = false, ignore_merges = false;  // BPE
  bool byte_fallback = false;                        // BPE, Unigram
  double unknown_score = 0;                          // Unigram

  static constexpr auto fields() {
    using S = WordSettings;
    return std::tuple(
        field("kind", &S::kind), field("unknown", &S::unknown), field("prefix", &S::prefix),
        field("longestWord", &S::longest_word), field("suffix", &S::suffix),
        field("fuseUnknown", &S::fuse_unknown), field("ignoreMerges", &S::ignore_merges),
        field("byteFallback", &S::byte_fallback), field("unknownScore", &S::unknown_score));
  }
};

// Where a text of BertNormalizer and BertPreTokenizer is cut, before either: no step of them
// reaches across white space, ASCII symbols and ideographs.
struct Chunks {
  bool clean_text = false, ideographs = false;

  static constexpr auto fields() {
    using S = Chunks;
    return std::tuple(field("cleanText", &S::clean_text), field("ideographs", &S::ideographs));
  }
};

struct Definition {
  std::string normalizer_where;  // begins the message of a text that grows too much
  std::vector<NormalizerStep> normalizer;
  std::vector<SplitStep> splits;
  std::vector<AddedToken> added;
  WordSettings words;
  std::optional<Chunks> chunks;         // of both of BERT
  std::vector<int32_t> prefix, suffix;  // ids before and after those of every text

  static constexpr auto fields() {
    using S = Definition;
    return std::tuple(
        field("normalizerWhere", &S::normalizer_where), field("normalizer", &S::normalizer),
        field("splits", &S::splits), field("added", &S::added), field("words", &S::words),
        field("chunks", &S::chunks), field("prefix", &S::prefix), field("suffix", &S::suffix));
  }
};

// Refuses numbers that lead out of the vocabulary, which nobody looks at later.
void check(const Definition& definition, const Vocabulary& vocabulary);

}  // namespace inbatch::text

namespace inbatch {

template <>
struct Words<text::NormalizerKind> {
  static constexpr const char* list[] = {"forms", "replace", "replaceSpaces", "strip", "prepend"};
};
template <>
struct Words<text::SplitKind> {
  static constexpr const char* list[] = {"bert",    "byteLevel", "delimiter",  "digits",
                                         "literal", "marks",     "metaspace",  "punctuation",
                                         "gpt2",    "cl100k",    "whitespace", "whitespaceSplit"};
};
template <>
struct Words<text::Behavior> {
  static constexpr const char* list[] = {"Removed", "Isolated", "MergedWithPrevious",
                                         "MergedWithNext", "Contiguous"};
};
template <>
struct Words<text::Prepending> {
  static constexpr const char* list[] = {"never", "first", "always"};
};
template <>
struct Words<text::ModelKind> {
  static constexpr const char* list[] = {"WordPiece", "BPE", "Unigram"};
};

}  // namespace inbatch
