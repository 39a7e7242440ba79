// The pre-tokenizer of a tokenizer: from a piece of a normalised text to its words.
#pragma once

#include <string>
#include <vector>

#include "characters.h"
#include "definition.h"

namespace inbatch::text {

class Splitter {
 public:
  Splitter(std::vector<SplitStep> steps, Characters& characters)
      : steps_(std::move(steps)), characters_(characters), made_(steps_.size()) {}

  // The words stand until the next call. `is_first`: the piece begins the text. The bytes of a word
  // are not yet characters, if the last step is one of bytes.
  const std::vector<Text>& split(Text piece, bool is_first);
  void forget();
  bool gives_bytes() const { return !steps_.empty() && steps_.back().kind == SplitKind::ByteLevel; }

 private:
  // A part of a piece that is cut: a match, or what stands between matches.
  struct Part {
    size_t begin, end;
    bool is_match;
  };

  void run(const SplitStep& step, Text piece, bool is_first, std::u16string& made);
  void split_bert(Text piece);
  void split_bytes(const SplitStep& step, Text piece, std::u16string& made);
  void split_digits(const SplitStep& step, Text piece);
  void split_marks(char16_t mark, Text piece);
  void split_metaspace(const SplitStep& step, Text piece, bool is_first, std::u16string& made);
  void find_symbols(Text piece);
  void split_words(Text piece);
  void find_literal(const SplitStep& step, Text piece);
  void arrange(Text piece, Behavior behavior);
  template <class Pattern>
  void split_by(const Pattern& pattern, Text piece);
  void add(Text piece, size_t begin, size_t end) {
    words_.push_back(piece.substr(begin, end - begin));
  }

  std::vector<SplitStep> steps_;
  Characters& characters_;
  std::vector<Text> words_, before_;
  std::vector<Part> parts_;
  std::vector<std::u16string> made_;  // by step, the texts that it makes for its words
};

}  // namespace inbatch::text
