// The patterns of byte-level tokenizers. See patterns.h.
#include "patterns.h"

namespace inbatch::text {
namespace {

constexpr int kOthers = kSpace | kLetter | kNumber;

// The units of 's, 't, 're, 've, 'm, 'll or 'd at `at`; 0 when none stands there.
size_t contraction(Text text, size_t at, bool any_case) {
  if (text[at] != u'\'' || at + 1 == text.size()) return 0;
  const auto letter = [&](size_t place) -> char16_t {
    if (place >= text.size()) return 0;
    const char16_t unit = text[place];
    return any_case && unit >= u'A' && unit <= u'Z' ? char16_t(unit + 32) : unit;
  };
  const char16_t first = letter(at + 1), second = letter(at + 2);
  if (first == u's' || first == u't' || first == u'm' || first == u'd') return 2;
  const bool is_long =
      ((first == u'r' || first == u'v') && second == u'e') || (first == u'l' && second == u'l');
  return is_long ? 3 : 0;
}

// \s+(?!\S)|\s+ where white space stands: what is followed by others leaves its last to them.
size_t space_end(Characters& characters, Text text, size_t at) {
  const size_t end = run_of(characters, text, at, kSpace);
  return end < text.size() && end - at > 1 ? end - 1 : end;  // a space is one unit
}

bool is_line_end(char16_t unit) { return unit == u'\r' || unit == u'\n'; }

}  // namespace

size_t run_of(Characters& characters, Text text, size_t at, int classes) {
  while (at < text.size()) {
    const auto [code, units] = character_at(text, at);
    if (!characters.is(code, classes)) break;
    at += units;
  }
  return at;
}

size_t run_without(Characters& characters, Text text, size_t at, int classes) {
  while (at < text.size()) {
    const auto [code, units] = character_at(text, at);
    if (characters.is(code, classes)) break;
    at += units;
  }
  return at;
}

size_t Gpt2Pattern::end(Text text, size_t at) const {
  if (const size_t units = contraction(text, at, false)) return at + units;
  const size_t begin = text[at] == u' ' && at + 1 < text.size() ? at + 1 : at;
  const int classes = characters_.classes(character_at(text, begin).code);
  if (classes & kLetter) return run_of(characters_, text, begin, kLetter);
  if (classes & kNumber) return run_of(characters_, text, begin, kNumber);
  if (!(classes & kSpace)) return run_without(characters_, text, begin, kOthers);
  return space_end(characters_, text, at);
}

size_t Cl100kPattern::end(Text text, size_t at) const {
  if (const size_t units = contraction(text, at, true)) return at + units;
  const auto [code, units] = character_at(text, at);
  const int classes = characters_.classes(code);
  if (classes & kLetter) return run_of(characters_, text, at, kLetter);
  if (classes & kNumber) {
    size_t end = at;
    for (int digit = 0; digit < digits_ && end < text.size(); ++digit) {
      const auto next = character_at(text, end);
      if (!characters_.is(next.code, kNumber)) break;
      end += next.units;
    }
    return end;
  }
  if (!is_line_end(text[at])) {
    const size_t end = run_of(characters_, text, at + units, kLetter);
    if (end > at + units) return end;
  }
  const size_t begin = text[at] == u' ' ? at + 1 : at;
  size_t end = run_without(characters_, text, begin, kOthers);
  if (end > begin) {
    while (end < text.size() && is_line_end(text[end])) ++end;
    return end;
  }
  end = run_of(characters_, text, at, kSpace);
  for (size_t last = end; last > at; --last) {
    if (is_line_end(text[last - 1])) return last;
  }
  return space_end(characters_, text, at);
}

}  // namespace inbatch::text
