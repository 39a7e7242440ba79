// Tokenizers of all models over texts of any UTF-16 units: every step reads and writes within its
// own.
#pragma once

#include <string>
#include <vector>

#include "../../native/text/tokenizer.h"
#include "ops_walk.h"

namespace inbatch::driver {

// A small Unicode: Latin letters with case, digits, marks that join, ideographs.
class SmallHost : public text::Host {
 public:
  std::array<uint16_t, text::kBlock> classes(uint32_t block) override {
    std::array<uint16_t, text::kBlock> out{};
    for (uint32_t n = 0; n < text::kBlock; ++n) out[n] = classes_of(block * text::kBlock + n);
    return out;
  }

  text::BlockForms forms(int, uint32_t block) override {
    text::BlockForms out{{}, {}, {}};
    for (uint32_t n = 0; n < text::kBlock; ++n) {
      const uint32_t code = block * text::kBlock + n;
      const bool is_capital = code >= 'A' && code <= 'Z';
      out.kinds[n] = is_mark(code) ? text::BlockForms::Joins
                     : is_capital  ? text::BlockForms::Replaced
                                   : text::BlockForms::Same;
      if (is_capital) out.text += char16_t(code + 32);
      out.begins[n + 1] = uint32_t(out.text.size());
    }
    return out;
  }

  std::u16string normalize(int, text::Text text) override {
    std::u16string out;
    for (const char16_t unit : text) {
      if (!is_mark(unit)) out += unit;
    }
    return out;
  }

 private:
  static bool is_mark(uint32_t code) { return code >= 0x300 && code < 0x370; }
  static uint16_t classes_of(uint32_t code) {
    const bool is_letter = (code | 32) >= 'a' && (code | 32) <= 'z';
    if (is_letter) return text::kLetter | text::kWordPart;
    if (code >= '0' && code <= '9') return text::kNumber | text::kWordPart;
    if (code == ' ' || code == '\n') return text::kSpace | text::kWhitespace;
    if (code > 32 && code < 127) return text::kSymbol;
    if (code == 0xfffd) return text::kRemoved;
    return code >= 0x4e00 && code < 0xa000 ? text::kIdeograph | text::kLetter : 0;
  }
};

inline text::Vocabulary small_vocabulary() {
  text::Vocabulary out;
  const auto add = [&](const std::u16string& piece) {
    out.text += piece;
    out.ends.push_back(int32_t(out.text.size()));
    out.ids.push_back(int32_t(out.ids.size()));
    out.scores.push_back(-1.0 - double(out.ids.size() % 7));
  };
  add(u"?");
  for (char16_t letter = u'a'; letter <= u'z'; ++letter) add(std::u16string(1, letter));
  for (const char16_t* piece :
       {u"\u2581", u"##a", u"##b", u"\u0120", u"\U0001f600", u"ab", u"abc"}) {
    add(piece);
  }
  for (const char* byte : {"<0xF0>", "<0x9F>", "<0x98>", "<0x80>"}) {
    add(std::u16string(byte, byte + 6));
  }
  const int32_t ab = 32, abc = 33;  // a is 1
  out.merges = {1, 2, ab, ab, 3, abc};
  return out;
}

// Each with a model, a normaliser and splits of its own.
inline std::vector<text::Definition> small_definitions() {
  using namespace text;
  std::vector<Definition> out;
  const auto add = [&](ModelKind kind, std::vector<NormalizerKind> steps,
                       std::vector<SplitKind> splits) {
    Definition definition{"walk", {}, {}, {}, {}, {}, {}, {}};
    for (const NormalizerKind step : steps) {
      definition.normalizer.push_back({step, u"a", u"bb", true, true, true});
    }
    for (const SplitKind split : splits) {
      SplitStep step;
      step.kind = split;
      step.pattern = u"\u2581";
      step.prefix_space = step.use_regex = step.splits = true;
      step.prepending = Prepending::First;
      definition.splits.push_back(step);
    }
    definition.added = {{90, u"<x>", false, true, true, false},
                        {91, u"ab", true, false, false, true}};
    definition.words.kind = kind;
    definition.words.unknown = 0;
    definition.words.prefix = u"##";
    definition.words.longest_word = 20;
    definition.words.byte_fallback = definition.words.fuse_unknown = true;
    definition.words.unknown_score = -20;
    definition.prefix = {80};
    definition.suffix = {81, 82};
    out.push_back(definition);
  };
  using N = NormalizerKind;
  using S = SplitKind;
  const std::vector<N> all = {N::Forms, N::Replace, N::ReplaceSpaces, N::Strip, N::Prepend};
  for (const ModelKind kind : {ModelKind::WordPiece, ModelKind::Bpe, ModelKind::Unigram}) {
    add(kind, {N::Forms}, {S::Bert});
    add(kind, all, {});
    add(kind, {}, {S::Cl100k, S::ByteLevel});
    add(kind, {}, {S::Gpt2, S::Digits, S::Delimiter, S::Punctuation});
    add(kind, all, {S::WhitespaceSplit, S::Literal, S::Whitespace, S::Metaspace, S::Marks});
  }
  out.push_back(out.front());
  out.back().added.clear();
  out.back().chunks = Chunks{true, true};
  out.push_back(out[7]);
  out.back().words.unknown = -1;
  return out;
}

inline std::u16string any_text(uint64_t seed) {
  constexpr struct {
    uint32_t begin, count;
  } kRanges[] = {{'a', 4},    {32, 95},    {0x300, 4},  {0xd800, 0x800},
                 {0x4e00, 9}, {0x2581, 1}, {0, 0x10000}};
  std::u16string out;
  const size_t size = size_t(mix64(seed) % 120);
  for (size_t n = 0; n < size; ++n) {
    const uint64_t bits = mix64(seed * 1000 + n);
    const auto& range = kRanges[bits % std::size(kRanges)];
    out += char16_t(range.begin + (bits >> 32) % range.count);
    if (bits >> 60 == 0) out += u" <x>ab ";
    if (bits >> 60 == 1) out += u"\U0001f600";
  }
  return out;
}

// The number of texts that became ids.
inline int walk_texts() {
  SmallHost host;
  int count = 0;
  for (const text::Definition& definition : small_definitions()) {
    const text::Vocabulary vocabulary = small_vocabulary();
    text::check(definition, vocabulary);
    text::Tokenizer tokenizer(definition, vocabulary, host);
    for (uint64_t seed = 0; seed < 400; ++seed, ++count) {
      const text::Settings settings{int64_t(4 + seed % 40), seed % 2 == 0, seed % 3 > 0};
      text::Ids ids, again;
      const bool is_cut = tokenizer.encode(any_text(seed), settings, ids);
      demand(is_cut == tokenizer.encode(any_text(seed), settings, again), "a text is cut again");
      if (seed % 50 == 0) tokenizer.forget();
      demand(ids == again, "a text has the same ids again");
      demand(int64_t(ids.size()) <= settings.max_length, "at most so many ids as asked for");
    }
  }
  return count;
}

}  // namespace inbatch::driver
