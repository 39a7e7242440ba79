// Characters of UTF-16 text, and what the host knows of them.
//
// Which characters are letters, and what normalising makes of each, is known to the host, whose
// Unicode it is; it is asked for 256 characters at a time, when one of them is met first.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace inbatch::text {

using Text = std::u16string_view;

// What a character is, one bit a class; the first four are those of the BERT tokenizers.
enum CharClass : uint16_t {
  kRemoved = 1,
  kWhitespace = 2,
  kIdeograph = 4,
  kSymbol = 8,
  kLetter = 16,
  kNumber = 32,
  kSpace = 64,
  kWordPart = 128,
};

constexpr uint32_t kBlock = 256;
constexpr uint32_t kBlocks = 0x110000 / kBlock;

// What a step of the normaliser makes of the characters of a block.
struct BlockForms {
  enum Kind : uint8_t {
    Same,
    Replaced,  // by characters of `text`, whatever stands beside it
    Joins,     // may work with its neighbours: asked of the host with them
  };
  std::array<Kind, kBlock> kinds;
  std::array<uint32_t, kBlock + 1> begins;  // in text
  std::u16string text;
};

// Who knows Unicode. Calls come from the thread that encodes.
class Host {
 public:
  virtual ~Host() = default;
  virtual std::array<uint16_t, kBlock> classes(uint32_t block) = 0;
  virtual BlockForms forms(int step, uint32_t block) = 0;
  virtual std::u16string normalize(int step, Text text) = 0;
};

struct Character {
  char32_t code;
  uint32_t units;
};

constexpr bool is_high(char16_t unit) { return (unit & 0xfc00) == 0xd800; }
constexpr bool is_low(char16_t unit) { return (unit & 0xfc00) == 0xdc00; }

// The character at `at`; half a pair is one of its own.
inline Character character_at(Text text, size_t at) {
  const char16_t unit = text[at];
  if (!is_high(unit) || at + 1 == text.size() || !is_low(text[at + 1])) return {unit, 1};
  return {0x10000 + ((char32_t(unit) & 0x3ff) << 10) + (text[at + 1] & 0x3ff), 2};
}

// The character that ends before `end`, which is not 0.
inline Character character_before(Text text, size_t end) {
  const bool is_pair = end > 1 && is_low(text[end - 1]) && is_high(text[end - 2]);
  return character_at(text.substr(0, end), end - (is_pair ? 2 : 1));
}

// Gives the memory of a list or a text back.
template <class... List>
void release(List&... lists) {
  ((lists.clear(), lists.shrink_to_fit()), ...);
}

// The bytes of a text in UTF-8.
template <class F>
void for_each_byte(Text text, F&& on_byte) {
  for (size_t at = 0; at < text.size();) {
    const auto [code, units] = character_at(text, at);
    at += units;
    if (code < 0x80) {
      on_byte(uint8_t(code));
      continue;
    }
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;  // bytes behind the first
    constexpr uint8_t kFirst[] = {0, 0xc0, 0xe0, 0xf0};
    on_byte(uint8_t(kFirst[more] | code >> (6 * more)));
    for (int n = more - 1; n >= 0; --n) on_byte(uint8_t(0x80 | ((code >> (6 * n)) & 0x3f)));
  }
}

class Characters {
 public:
  explicit Characters(Host& host)
      : host_(host), classes_(new uint16_t[kBlocks * kBlock]), known_(kBlocks) {}

  uint16_t classes(char32_t code) {
    if (!known_[code / kBlock]) ask(code / kBlock);
    return classes_[code];
  }
  bool is(char32_t code, int any) { return (classes(code) & any) != 0; }

 private:
  void ask(uint32_t block) {
    const auto classes = host_.classes(block);
    std::copy(classes.begin(), classes.end(), &classes_[block * kBlock]);
    known_[block] = 1;
  }

  Host& host_;
  // Of all characters; blocks that are not yet known are never touched, and so take no memory.
  std::unique_ptr<uint16_t[]> classes_;
  std::vector<uint8_t> known_;
};

}  // namespace inbatch::text
