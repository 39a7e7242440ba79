// Finds added tokens in a text, leftmost and longest first; the text between them is handed on.
#pragma once

#include <bitset>
#include <vector>

#include "characters.h"
#include "definition.h"
#include "trie.h"

namespace inbatch::text {

class AddedTokens {
 public:
  // Those that are met in the text as it is, or in the normalised one.
  AddedTokens(const std::vector<AddedToken>& tokens, bool normalized, Characters& characters);

  bool empty() const { return tokens_.empty(); }

  // on_text(text, begin) and on_token(id), in the order of the text; ends when one returns false.
  template <class OnText, class OnToken>
  bool split(Text text, OnText&& on_text, OnToken&& on_token) const {
    if (empty()) return on_text(text, size_t(0));
    size_t done = 0;
    for (Match match = find(text, 0); match.token; match = find(text, match.end)) {
      const AddedToken& token = *match.token;
      if (token.single_word && !stands_alone(text, match)) continue;
      const size_t begin =
          token.lstrip ? std::max(done, space_before(text, match.begin)) : match.begin;
      if (done < begin && !on_text(text.substr(done, begin - done), done)) return false;
      done = token.rstrip ? space_after(text, match.end) : match.end;
      if (!on_token(token.id)) return false;
    }
    return done >= text.size() || on_text(text.substr(done), done);
  }

 private:
  struct Match {
    const AddedToken* token = nullptr;
    size_t begin = 0, end = 0;
  };
  Match find(Text text, size_t from) const;
  bool stands_alone(Text text, const Match& match) const;
  size_t space_before(Text text, size_t at) const;
  size_t space_after(Text text, size_t at) const;

  std::vector<AddedToken> tokens_;
  Trie trie_;
  std::bitset<0x10000> begins_;  // the units that tokens begin with
  Characters& characters_;
};

}  // namespace inbatch::text
