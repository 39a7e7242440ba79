// The normaliser of a tokenizer. See normalizer.h.
#include "normalizer.h"

#include <algorithm>

namespace inbatch::text {
namespace {

constexpr size_t kLongestKept = 48, kMostKept = 1 << 14;

constexpr char16_t kReplacement = 0xfffd;

// The text without halves of pairs, which are no characters: each becomes U+FFFD.
void copy_whole(Text text, std::u16string& out) {
  out.assign(text);
  for (size_t at = 0; at < out.size(); ++at) {
    if ((out[at] & 0xf800) != 0xd800) continue;
    const bool is_pair = is_high(out[at]) && at + 1 < out.size() && is_low(out[at + 1]);
    if (is_pair) {
      ++at;
    } else {
      out[at] = kReplacement;
    }
  }
}

}  // namespace

const BlockForms& Forms::block_of(char32_t code) {
  auto& block = blocks_[code / kBlock];
  if (!block) block = std::make_unique<BlockForms>(host_.forms(step_, code / kBlock));
  return *block;
}

BlockForms::Kind Forms::kind_at(Text in, size_t at) {
  const char32_t code = character_at(in, at).code;
  return block_of(code).kinds[code % kBlock];
}

// The end of the cluster that has a joining character at `at`: behind it no two characters stand
// side by side of which none joins.
size_t Forms::cluster_end(Text in, size_t at) {
  bool joins = true;
  while (at < in.size()) {
    const bool next_joins = kind_at(in, at) == BlockForms::Joins;
    if (!joins && !next_joins) break;
    joins = next_joins;
    at += character_at(in, at).units;
  }
  return at;
}

const std::u16string& Forms::normalized(Text cluster) {
  if (cluster.size() > kLongestKept) return unkept_ = host_.normalize(step_, cluster);
  key_.assign(cluster);
  const auto found = clusters_.find(key_);
  if (found != clusters_.end()) return found->second;
  if (clusters_.size() == kMostKept) clusters_.clear();
  return clusters_[key_] = host_.normalize(step_, cluster);
}

void Forms::run(Text in, std::u16string& out, Growth& growth) {
  out.clear();
  size_t before = 0, made = 0;  // where the last character begins, in and out
  const auto& ascii = block_of(0).kinds;
  for (size_t at = 0; at < in.size();) {
    const size_t begin = at;
    while (at < in.size() && in[at] < 128 && ascii[in[at]] == BlockForms::Same) ++at;
    if (at > begin) {
      out.append(in, begin, at - begin);
      if (counted_) growth.add(at - begin);
      before = at - 1;
      made = out.size() - 1;
      continue;
    }
    const auto [code, units] = character_at(in, at);
    const BlockForms& block = block_of(code);
    const uint32_t place = code % kBlock;
    const size_t size = out.size();
    if (block.kinds[place] == BlockForms::Joins) {
      const size_t end = cluster_end(in, at);
      out.resize(made);
      out += normalized(in.substr(before, end - before));
      before = at = end;
      made = out.size();
    } else {
      if (block.kinds[place] == BlockForms::Same) {
        out.append(in, at, units);
      } else {
        out.append(block.text, block.begins[place], block.begins[place + 1] - block.begins[place]);
      }
      before = at;
      made = size;
      at += units;
    }
    if (counted_ && out.size() > size) growth.add(out.size() - size);
  }
}

Normalizer::Normalizer(const Definition& definition, Host& host, Characters& characters)
    : steps_(definition.normalizer), characters_(characters), growth_(definition.normalizer_where) {
  forms_.reserve(steps_.size());
  for (size_t step = 0; step < steps_.size(); ++step) {
    forms_.emplace_back(host, int(step), steps_[step].counted);
  }
}

Text Normalizer::normalize(Text text) {
  copy_whole(text, buffers_[0]);
  growth_.begin(text.size());
  for (size_t step = 0; step < steps_.size(); ++step) {
    run(step, buffers_[0], buffers_[1]);
    std::swap(buffers_[0], buffers_[1]);
  }
  return buffers_[0];
}

void Normalizer::run(size_t number, Text in, std::u16string& out) {
  const NormalizerStep& step = steps_[number];
  switch (step.kind) {
    case NormalizerKind::Forms:
      return forms_[number].run(in, out, growth_);
    case NormalizerKind::Replace:
      return replace(step, in, out);
    case NormalizerKind::ReplaceSpaces:
      return replace_spaces(step, in, out);
    case NormalizerKind::Strip:
      out.assign(stripped(step, in));
      return;
    case NormalizerKind::Prepend:
      out.clear();
      if (in.empty()) return;
      growth_.add(step.content.size());
      out.append(step.content).append(in);
  }
}

void Normalizer::replace(const NormalizerStep& step, Text in, std::u16string& out) {
  out.clear();
  size_t done = 0;
  for (;;) {
    const size_t found = in.find(step.pattern, done);
    out.append(in, done, found == Text::npos ? Text::npos : found - done);
    if (found == Text::npos) return;
    growth_.add(step.content.size());
    out += step.content;
    done = found + step.pattern.size();
  }
}

// Two spaces or more become the content.
void Normalizer::replace_spaces(const NormalizerStep& step, Text in, std::u16string& out) {
  out.clear();
  for (size_t at = 0; at < in.size();) {
    const size_t end = std::min(in.find_first_not_of(u' ', at), in.size());
    if (end - at > 1) {
      growth_.add(step.content.size());
      out += step.content;
      at = end;
    } else {
      out += in[at++];
    }
  }
}

Text Normalizer::stripped(const NormalizerStep& step, Text in) {
  const auto is_space = [&](char16_t unit) { return characters_.is(unit, kSpace); };
  while (step.left && !in.empty() && is_space(in.front())) in.remove_prefix(1);
  while (step.right && !in.empty() && is_space(in.back())) in.remove_suffix(1);
  return in;
}

}  // namespace inbatch::text
