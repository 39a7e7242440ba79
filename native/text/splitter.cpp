// The pre-tokenizer of a tokenizer. See splitter.h.
#include "splitter.h"

#include <algorithm>

#include "patterns.h"

namespace inbatch::text {

const std::vector<Text>& Splitter::split(Text piece, bool is_first) {
  words_.assign(1, piece);
  for (size_t step = 0; step < steps_.size(); ++step) {
    std::swap(words_, before_);
    words_.clear();
    // Memory for all that the step makes, at most one unit a word more, so that words stay in
    // place.
    size_t units = before_.size();
    for (const Text word : before_) units += word.size();
    made_[step].clear();
    made_[step].reserve(units);
    for (size_t n = 0; n < before_.size(); ++n) {
      run(steps_[step], before_[n], is_first && n == 0, made_[step]);
    }
    // A step that drops what the text begins with leaves no word at its beginning.
    const Text first = words_.empty() ? Text() : words_.front();
    is_first = is_first && !before_.empty() && before_.front().substr(0, first.size()) == first;
  }
  return words_;
}

void Splitter::forget() {
  release(words_, before_, parts_);
  for (std::u16string& text : made_) release(text);
}

void Splitter::run(const SplitStep& step, Text piece, bool is_first, std::u16string& made) {
  switch (step.kind) {
    case SplitKind::Bert:
      return split_bert(piece);
    case SplitKind::ByteLevel:
      return split_bytes(step, piece, made);
    case SplitKind::Delimiter:
    case SplitKind::Literal:
      find_literal(step, piece);
      return arrange(piece, step.behavior);
    case SplitKind::Digits:
      return split_digits(step, piece);
    case SplitKind::Marks:
      return split_marks(step.pattern.front(), piece);
    case SplitKind::Metaspace:
      return split_metaspace(step, piece, is_first, made);
    case SplitKind::Punctuation:
      find_symbols(piece);
      return arrange(piece, step.behavior);
    case SplitKind::Gpt2:
      return split_by(Gpt2Pattern(characters_), piece);
    case SplitKind::Cl100k:
      return split_by(Cl100kPattern(characters_, step.digits), piece);
    case SplitKind::Whitespace:
      return split_words(piece);
    case SplitKind::WhitespaceSplit:
      for (size_t at = 0; at < piece.size();) {
        const size_t begin = run_of(characters_, piece, at, kSpace);
        at = run_without(characters_, piece, begin, kSpace);
        if (at > begin) add(piece, begin, at);
      }
  }
}

template <class Pattern>
void Splitter::split_by(const Pattern& pattern, Text piece) {
  for (size_t at = 0; at < piece.size();) {
    const size_t end = pattern.end(piece, at);
    add(piece, at, end);
    at = end;
  }
}

void Splitter::split_bert(Text piece) {
  size_t begin = 0;
  for (size_t at = 0; at < piece.size();) {
    const auto [code, units] = character_at(piece, at);
    const int classes = characters_.classes(code);
    if (classes & (kWhitespace | kSymbol)) {
      if (begin < at) add(piece, begin, at);
      if (classes & kSymbol) add(piece, at, at + units);
      begin = at + units;
    }
    at += units;
  }
  if (begin < piece.size()) add(piece, begin, piece.size());
}

void Splitter::split_bytes(const SplitStep& step, Text piece, std::u16string& made) {
  if (step.prefix_space && (piece.empty() || piece.front() != u' ')) {
    const size_t begin = made.size();
    made.append(1, u' ').append(piece);
    piece = Text(made).substr(begin);
  }
  if (step.use_regex) return split_by(Gpt2Pattern(characters_), piece);
  words_.push_back(piece);
}

void Splitter::split_digits(const SplitStep& step, Text piece) {
  for (size_t at = 0; at < piece.size();) {
    const auto [code, units] = character_at(piece, at);
    const bool is_number = characters_.is(code, kNumber);
    const size_t end = !is_number        ? run_without(characters_, piece, at, kNumber)
                       : step.individual ? at + units
                                         : run_of(characters_, piece, at, kNumber);
    add(piece, at, end);
    at = end;
  }
}

void Splitter::split_metaspace(const SplitStep& step, Text piece, bool is_first,
                               std::u16string& made) {
  const char16_t mark = step.pattern.front();
  const size_t begin = made.size();
  const bool wants_mark =
      step.prepending == Prepending::Always || (step.prepending == Prepending::First && is_first);
  const bool begins_marked = !piece.empty() && (piece.front() == u' ' || piece.front() == mark);
  if (wants_mark && !begins_marked) made += mark;
  made += piece;
  std::replace(made.begin() + std::ptrdiff_t(begin), made.end(), u' ', mark);
  const Text word = Text(made).substr(begin);
  if (!step.splits) {
    words_.push_back(word);
    return;
  }
  // Each mark begins a word.
  for (size_t at = 0; at < word.size();) {
    const size_t end = std::min(word.find(mark, at + 1), word.size());
    add(word, at, end);
    at = end;
  }
}

// A mark begins a word, unless it follows another one.
void Splitter::split_marks(char16_t mark, Text piece) {
  for (size_t at = 0; at < piece.size();) {
    const size_t begin = std::min(piece.find_first_not_of(mark, at), piece.size());
    const size_t end = std::min(piece.find(mark, begin), piece.size());
    add(piece, at, end);
    at = end;
  }
}

// One part a symbol, one a run of others.
void Splitter::find_symbols(Text piece) {
  parts_.clear();
  size_t begin = 0;
  for (size_t at = 0; at < piece.size();) {
    const auto [code, units] = character_at(piece, at);
    if (characters_.is(code, kSymbol)) {
      if (begin < at) parts_.push_back({begin, at, false});
      parts_.push_back({at, at + units, true});
      begin = at + units;
    }
    at += units;
  }
  if (begin < piece.size()) parts_.push_back({begin, piece.size(), false});
}

// Runs of what makes words, and of what is neither that nor white space.
void Splitter::split_words(Text piece) {
  for (size_t at = 0; at < piece.size();) {
    size_t end = run_of(characters_, piece, at, kWordPart);
    if (end == at) end = run_without(characters_, piece, at, kWordPart | kSpace);
    if (end == at) {
      at = run_of(characters_, piece, at, kSpace);
    } else {
      add(piece, at, end);
      at = end;
    }
  }
}

void Splitter::find_literal(const SplitStep& step, Text piece) {
  parts_.clear();
  for (size_t done = 0; done < piece.size();) {
    const size_t found = std::min(piece.find(step.pattern, done), piece.size());
    if (done < found) parts_.push_back({done, found, step.inverted});
    if (found == piece.size()) return;
    done = found + step.pattern.size();
    parts_.push_back({found, done, !step.inverted});
  }
}

// The words that the parts make; matches stand alone, join a neighbour or go.
void Splitter::arrange(Text piece, Behavior behavior) {
  const auto belongs = [&](const Part& before, const Part& part) {
    switch (behavior) {
      case Behavior::Contiguous:
        return before.is_match == part.is_match;
      case Behavior::MergedWithPrevious:
        return part.is_match && !before.is_match;
      case Behavior::MergedWithNext:
        return before.is_match && !part.is_match;
      default:
        return false;
    }
  };
  for (size_t n = 0; n < parts_.size();) {
    const size_t begin = n++;
    while (n < parts_.size() && belongs(parts_[n - 1], parts_[n])) ++n;
    const bool is_dropped = behavior == Behavior::Removed && parts_[begin].is_match;
    if (!is_dropped) add(piece, parts_[begin].begin, parts_[n - 1].end);
  }
}

}  // namespace inbatch::text
