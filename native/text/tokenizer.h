// From texts to ids with one tokenizer: added tokens, normaliser, splitter, model of words, special
// tokens, truncation. One thread at a time.
#pragma once

#include "added_tokens.h"
#include "normalizer.h"
#include "splitter.h"
#include "word_cache.h"
#include "word_model.h"

namespace inbatch::text {

struct Settings {
  int64_t max_length = 0;  // of a result, special tokens included
  bool cut_left = false;   // the side that is cut
  bool special_tokens = true;

  static constexpr auto fields() {
    using S = Settings;
    return std::tuple(field("maxLength", &S::max_length), field("cutLeft", &S::cut_left),
                      field("addSpecialTokens", &S::special_tokens));
  }
};

class Tokenizer {
 public:
  // `host` stays as long as the tokenizer.
  Tokenizer(Definition definition, Vocabulary vocabulary, Host& host);

  // Adds the ids of a text and says whether it was cut.
  bool encode(Text text, const Settings& settings, Ids& ids);
  // Gives back the memory that an enormous text took.
  void forget();

 private:
  enum UnitKind : uint8_t { Inside, Space, Single };  // of a chunk; between two; a chunk of its own

  bool encode_section(Text section, bool is_first);
  bool encode_chunks(Text section);
  bool encode_chunk(Text chunk);
  bool encode_normalized(Text piece, bool is_first);
  template <class Work>
  bool encode_once(Text word, Work&& work);
  void add_word(Text word, Ids& ids);
  bool begins_text(Text section);
  bool push(std::span<const int32_t> ids);
  UnitKind kind_of(char16_t unit);

  Definition definition_;
  Characters characters_;
  Normalizer normalizer_;
  Splitter splitter_;
  AddedTokens raw_, normalized_;
  std::unique_ptr<WordModel> model_;
  WordCache known_;  // chunks, or words
  std::array<UnitKind, 128> ascii_{};
  bool uses_first_ = false;
  Ids* out_ = nullptr;
  size_t limit_ = 0;  // ids beyond it are not wanted
  Ids word_ids_;
  std::u16string bytes_;
};

}  // namespace inbatch::text
