// Finds added tokens in a text. See added_tokens.h.
#include "added_tokens.h"

namespace inbatch::text {

AddedTokens::AddedTokens(const std::vector<AddedToken>& tokens, bool normalized,
                         Characters& characters)
    : characters_(characters) {
  for (const AddedToken& token : tokens) {
    if (token.normalized == normalized && !token.content.empty()) tokens_.push_back(token);
  }
  std::vector<std::pair<Text, int32_t>> contents;
  for (size_t n = 0; n < tokens_.size(); ++n) {
    contents.push_back({tokens_[n].content, int32_t(n)});
    begins_.set(tokens_[n].content.front());
  }
  trie_ = Trie(std::move(contents));
}

AddedTokens::Match AddedTokens::find(Text text, size_t from) const {
  for (size_t begin = from; begin < text.size(); ++begin) {
    if (!begins_[text[begin]]) continue;
    Match match;
    int32_t node = Trie::kRoot;
    for (size_t at = begin; at < text.size() && node != Trie::kNone; ++at) {
      node = trie_.step(node, text[at]);
      const int32_t token = trie_.value(node);
      if (token >= 0) match = {&tokens_[size_t(token)], begin, at + 1};
    }
    if (match.token) return match;
  }
  return {};
}

bool AddedTokens::stands_alone(Text text, const Match& match) const {
  const auto is_part = [&](Character character) {
    return characters_.is(character.code, kWordPart);
  };
  if (match.begin > 0 && is_part(character_before(text, match.begin))) return false;
  return match.end == text.size() || !is_part(character_at(text, match.end));
}

// White space is always one UTF-16 unit.
size_t AddedTokens::space_before(Text text, size_t at) const {
  while (at > 0 && characters_.is(text[at - 1], kSpace)) --at;
  return at;
}

size_t AddedTokens::space_after(Text text, size_t at) const {
  while (at < text.size() && characters_.is(text[at], kSpace)) ++at;
  return at;
}

}  // namespace inbatch::text
