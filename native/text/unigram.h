// Unigram: of all ways to cut a word into pieces the one with the best sum of scores.
#pragma once

#include "word_model.h"

namespace inbatch::text {

class Unigram : public WordModel {
 public:
  Unigram(const WordSettings& settings, Vocabulary vocabulary);
  void encode(Text word, Ids& ids) override;
  void forget() override { release(steps_, ends_, way_, numbers_); }

 private:
  // A piece of the word that ends at some place: the best way there, through the one before it.
  struct Step {
    int32_t piece, before;  // before: a step, -1 at the beginning of the word
    int32_t next;           // the next step that ends at the same place
    uint32_t begin, end;
    double score;  // of the whole way
  };
  struct Ends {
    int32_t first = -1, last = -1;  // steps that end at a place, in their order
  };
  void find_steps(Text word);
  void add_step(int32_t piece, size_t begin, size_t end, double score);
  // The step that ends at a place from which a piece of this score goes on best.
  int32_t best_before(size_t place, double score) const;
  void add_unknown(Text word, size_t first, size_t last, Ids& ids);

  Pieces pieces_;
  int32_t unknown_;
  double unknown_score_;
  bool byte_fallback_;
  std::vector<Step> steps_;
  std::vector<Ends> ends_;
  std::vector<int32_t> way_, numbers_;
};

}  // namespace inbatch::text
