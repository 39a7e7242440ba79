// The patterns by which byte-level tokenizers cut a text into words, followed by hand.
//
// Both give every character to one word. `end` says where the word ends that begins at `at`, as the
// regular expression would: its alternatives in their order, each as greedy as it may be.
#pragma once

#include "characters.h"

namespace inbatch::text {

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
class Gpt2Pattern {
 public:
  explicit Gpt2Pattern(Characters& characters) : characters_(characters) {}
  size_t end(Text text, size_t at) const;

 private:
  Characters& characters_;
};

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}
// | ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
class Cl100kPattern {
 public:
  Cl100kPattern(Characters& characters, int digits) : characters_(characters), digits_(digits) {}
  size_t end(Text text, size_t at) const;

 private:
  Characters& characters_;
  int digits_;
};

// Where the run of characters of these classes, or of none of them, ends that begins at `at`.
size_t run_of(Characters& characters, Text text, size_t at, int classes);
size_t run_without(Characters& characters, Text text, size_t at, int classes);

}  // namespace inbatch::text
