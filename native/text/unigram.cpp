// Unigram. See unigram.h.
#include "unigram.h"

#include <algorithm>

namespace inbatch::text {

Unigram::Unigram(const WordSettings& settings, Vocabulary vocabulary)
    : pieces_(std::move(vocabulary)),
      unknown_(settings.unknown),
      unknown_score_(settings.unknown_score),
      byte_fallback_(settings.byte_fallback) {
  pieces_.vocabulary.scores[size_t(unknown_)] = unknown_score_;
}

void Unigram::encode(Text word, Ids& ids) {
  if (word.empty()) return;
  find_steps(word);
  way_.clear();
  for (int32_t step = best_before(word.size(), 0); step > 0; step = steps_[size_t(step)].before) {
    way_.push_back(step);
  }
  std::reverse(way_.begin(), way_.end());
  for (size_t first = 0; first < way_.size();) {
    const int32_t piece = steps_[size_t(way_[first])].piece;
    size_t last = first + 1;
    if (piece != unknown_) {
      ids.push_back(pieces_.id(piece));
    } else {
      while (last < way_.size() && steps_[size_t(way_[last])].piece == unknown_) ++last;
      add_unknown(word, first, last, ids);
    }
    first = last;
  }
}

// All pieces of the word, by their begin; where no single character is a piece, the unknown one.
void Unigram::find_steps(Text word) {
  const Trie& trie = pieces_.trie;
  steps_.assign(1, {-1, -1, -1, 0, 0, 0});
  ends_.assign(word.size() + 1, {});
  ends_[0] = {0, 0};
  for (size_t begin = 0; begin < word.size();) {
    const size_t next = begin + character_at(word, begin).units;
    bool has_single = false;
    int32_t node = Trie::kRoot;
    for (size_t at = begin; at < word.size(); ++at) {
      node = trie.step(node, word[at]);
      if (node == Trie::kNone) break;
      const int32_t piece = trie.value(node);
      if (piece < 0) continue;
      has_single = has_single || at + 1 == next;
      add_step(piece, begin, at + 1, pieces_.vocabulary.scores[size_t(piece)]);
    }
    if (!has_single) add_step(unknown_, begin, next, unknown_score_);
    begin = next;
  }
}

void Unigram::add_step(int32_t piece, size_t begin, size_t end, double score) {
  const int32_t before = best_before(begin, score);
  const int32_t number = int32_t(steps_.size());
  const double sum = steps_[size_t(before)].score + score;
  steps_.push_back({piece, before, -1, uint32_t(begin), uint32_t(end), sum});
  Ends& ends = ends_[end];
  if (ends.first < 0) {
    ends.first = number;
  } else {
    steps_[size_t(ends.last)].next = number;
  }
  ends.last = number;
}

// Sums are compared, not their parts: of sums that round to the same the first counts.
int32_t Unigram::best_before(size_t place, double score) const {
  int32_t best = ends_[place].first;
  double most = steps_[size_t(best)].score + score;
  for (int32_t step = steps_[size_t(best)].next; step >= 0; step = steps_[size_t(step)].next) {
    const double sum = steps_[size_t(step)].score + score;
    if (!(sum > most)) continue;
    best = step;
    most = sum;
  }
  return best;
}

// Unknown pieces side by side are one, which grows until it reads as the unknown piece itself. It
// may be known as a whole, or by its bytes.
void Unigram::add_unknown(Text word, size_t first, size_t last, Ids& ids) {
  const Text name = pieces_.vocabulary.piece(unknown_);
  const size_t begin = steps_[size_t(way_[first])].begin;
  size_t end = begin;
  for (size_t n = first; n < last; ++n) {
    end = steps_[size_t(way_[n])].end;
    if (word.substr(begin, end - begin) == name) break;
  }
  const Text fused = word.substr(begin, end - begin);
  const int32_t known = pieces_.trie.find(fused);
  numbers_.clear();
  if (known < 0 && byte_fallback_ && add_bytes(pieces_, fused, numbers_)) {
    for (const int32_t number : numbers_) ids.push_back(pieces_.id(number));
  } else {
    ids.push_back(pieces_.id(known < 0 ? unknown_ : known));
  }
}

}  // namespace inbatch::text
