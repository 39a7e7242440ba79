// What a tokenizer is. See definition.h.
#include "definition.h"

#include <algorithm>

namespace inbatch::text {
namespace {

void expect_within(const char* what, const std::vector<int32_t>& numbers, int64_t end) {
  const bool is_within = std::all_of(numbers.begin(), numbers.end(),
                                     [&](int32_t number) { return number >= 0 && number < end; });
  expect(is_within, "tokenizer", std::string("expected ") + what + " of the vocabulary");
}

}  // namespace

void check(const Definition& definition, const Vocabulary& vocabulary) {
  const auto& [text, ends, ids, scores, merges] = vocabulary;
  const WordSettings& words = definition.words;
  expect(!ends.empty() && ids.size() == ends.size(), "tokenizer", "expected an id of each piece");
  expect_within("ends", ends, int64_t(text.size()) + 1);
  expect(std::is_sorted(ends.begin(), ends.end()), "tokenizer", "expected ends in their order");
  expect_within("merges", merges, vocabulary.size());
  const bool has_unknown = words.unknown >= 0 && words.unknown < vocabulary.size();
  const bool may_lack = words.kind == ModelKind::Bpe && words.unknown == -1;
  expect(has_unknown || may_lack, "tokenizer", "expected an unknown piece of the vocabulary");
  const bool has_scores = words.kind != ModelKind::Unigram || scores.size() == ends.size();
  expect(has_scores, "tokenizer", "expected a score of each piece");
  for (const SplitStep& step : definition.splits) {
    const bool needs_pattern = step.kind == SplitKind::Literal ||
                               step.kind == SplitKind::Delimiter || step.kind == SplitKind::Marks ||
                               step.kind == SplitKind::Metaspace;
    expect(!needs_pattern || !step.pattern.empty(), "tokenizer", "expected a pattern");
  }
  for (const NormalizerStep& step : definition.normalizer) {
    const bool has_pattern = step.kind != NormalizerKind::Replace || !step.pattern.empty();
    expect(has_pattern, "tokenizer", "expected a pattern");
  }
}

}  // namespace inbatch::text
