// From texts to ids. See tokenizer.h.
#include "tokenizer.h"

#include <algorithm>
#include <limits>

namespace inbatch::text {
namespace {

constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();

// Every byte as a visible character, in the order of GPT-2.
constexpr std::array<char16_t, 256> byte_characters() {
  std::array<char16_t, 256> characters{};
  for (int byte = 0; byte < 256; ++byte) {
    const bool is_visible = (byte > 32 && byte < 127) || (byte > 160 && byte != 173);
    const int moved = byte <= 32 ? 256 + byte : byte == 173 ? 323 : 162 + byte;
    characters[size_t(byte)] = char16_t(is_visible ? byte : moved);
  }
  return characters;
}

constexpr auto kByteCharacters = byte_characters();

}  // namespace

Tokenizer::Tokenizer(Definition definition, Vocabulary vocabulary, Host& host)
    : definition_(std::move(definition)),
      characters_(host),
      normalizer_(definition_, host, characters_),
      splitter_(definition_.splits, characters_),
      raw_(definition_.added, false, characters_),
      normalized_(definition_.added, true, characters_),
      model_(open_word_model(definition_.words, std::move(vocabulary))) {
  for (const SplitStep& step : definition_.splits) {
    uses_first_ = uses_first_ || step.prepending == Prepending::First;
  }
  if (!definition_.chunks) return;
  for (char16_t unit = 0; unit < ascii_.size(); ++unit) ascii_[unit] = kind_of(unit);
}

bool Tokenizer::encode(Text text, const Settings& settings, Ids& ids) {
  static const std::vector<int32_t> bare;
  const auto& prefix = settings.special_tokens ? definition_.prefix : bare;
  const auto& suffix = settings.special_tokens ? definition_.suffix : bare;
  const size_t room = size_t(settings.max_length) - prefix.size() - suffix.size();
  ids.insert(ids.end(), prefix.begin(), prefix.end());
  const size_t start = ids.size();
  // One id more than there is room for tells that the text is cut; the rest need not be read.
  limit_ = settings.cut_left ? kUnlimited : start + room + 1;
  out_ = &ids;
  raw_.split(
      text,
      [&](Text section, size_t begin) {
        return encode_section(section, begin == 0 && begins_text(section));
      },
      [&](int32_t id) {
        return push({&id, 1});
      });
  const bool is_cut = ids.size() - start > room;
  if (is_cut) {
    const auto first = ids.begin() + std::ptrdiff_t(start);
    if (settings.cut_left) std::copy(ids.end() - std::ptrdiff_t(room), ids.end(), first);
    ids.resize(start + room);
  }
  ids.insert(ids.end(), suffix.begin(), suffix.end());
  return is_cut;
}

void Tokenizer::forget() {
  normalizer_.forget();
  splitter_.forget();
  model_->forget();
  release(word_ids_, bytes_);
}

// Whether the first character is still there once it is normalised; else nothing begins the text.
bool Tokenizer::begins_text(Text section) {
  if (!uses_first_) return false;  // nobody asks
  if (section.empty()) return true;
  return !normalizer_.normalize(section.substr(0, character_at(section, 0).units)).empty();
}

bool Tokenizer::encode_section(Text section, bool is_first) {
  if (definition_.chunks && normalized_.empty()) return encode_chunks(section);
  return normalized_.split(
      normalizer_.normalize(section),
      [&](Text piece, size_t begin) { return encode_normalized(piece, is_first && begin == 0); },
      [&](int32_t id) {
        return push({&id, 1});
      });
}

bool Tokenizer::encode_normalized(Text piece, bool is_first) {
  if (piece.empty()) return true;
  for (const Text word : splitter_.split(piece, is_first)) {
    if (!encode_once(word, [&] { add_word(word, word_ids_); })) return false;
  }
  return true;
}

bool Tokenizer::encode_chunks(Text section) {
  size_t begin = 0;
  for (size_t at = 0; at < section.size(); ++at) {
    const char16_t unit = section[at];
    const UnitKind kind = unit < ascii_.size() ? ascii_[unit] : kind_of(unit);
    if (kind == Inside) continue;
    if (begin < at && !encode_chunk(section.substr(begin, at - begin))) return false;
    if (kind == Single && !encode_chunk(section.substr(at, 1))) return false;
    begin = at + 1;
  }
  return begin == section.size() || encode_chunk(section.substr(begin));
}

bool Tokenizer::encode_chunk(Text chunk) {
  return encode_once(chunk, [&] {
    const Text normalized = normalizer_.normalize(chunk);
    if (normalized.empty()) return;
    for (const Text word : splitter_.split(normalized, false)) add_word(word, word_ids_);
  });
}

// Adds the ids of a word, or chunk, that `work` leaves in word_ids_ when they are not yet known.
template <class Work>
bool Tokenizer::encode_once(Text word, Work&& work) {
  WordCache::Place place{};
  const bool fits = WordCache::fits(word);
  if (fits) {
    const auto ids = known_.find(word, place);
    if (!ids.empty()) return push(ids);
  }
  word_ids_.clear();
  work();
  if (fits) known_.keep(word, place, word_ids_);
  return push(word_ids_);
}

void Tokenizer::add_word(Text word, Ids& ids) {
  if (!splitter_.gives_bytes()) return model_->encode(word, ids);
  bytes_.clear();
  for_each_byte(word, [&](uint8_t byte) { bytes_ += kByteCharacters[byte]; });
  model_->encode(bytes_, ids);
}

bool Tokenizer::push(std::span<const int32_t> ids) {
  const size_t room = limit_ - std::min(limit_, out_->size());
  out_->insert(out_->end(), ids.begin(), ids.begin() + std::ptrdiff_t(std::min(room, ids.size())));
  return ids.size() <= room;
}

Tokenizer::UnitKind Tokenizer::kind_of(char16_t unit) {
  const auto [clean_text, ideographs] = *definition_.chunks;
  const int classes = characters_.classes(unit);
  // A removed character joins what stands on both sides of it.
  if (clean_text && classes & kRemoved) return Inside;
  if (classes & kWhitespace) return Space;
  if (unit < ascii_.size() && classes & kSymbol) return Single;
  return ideographs && classes & kIdeograph ? Single : Inside;
}

}  // namespace inbatch::text
