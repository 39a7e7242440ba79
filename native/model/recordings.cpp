// Recorded passes. See recordings.h.
#include "recordings.h"

#include <algorithm>

namespace inbatch {
namespace {

constexpr size_t kMostEntries = 64;
constexpr int64_t kOften = 3;             // times that a shape comes before it is recorded
constexpr int64_t kLongestFilling = 512;  // tokens of a text that fills a bucket

// The next multiple of 16, or of an eighth of the power of two below: at most an eighth more.
int64_t bucket_of(int64_t tokens) {
  int64_t unit = 16;
  while (unit * 16 <= tokens) unit *= 2;
  return (tokens + unit - 1) / unit * unit;
}

int64_t power_from(int64_t count) {
  int64_t power = 1;
  while (power < count) power *= 2;
  return power;
}

}  // namespace

FilledBatch::FilledBatch(const Batch& batch, int64_t longest)
    : tokens_(bucket_of(batch.tokens())), texts_(batch.size()) {
  longest = longest > 0 ? std::min(longest, kLongestFilling) : kLongestFilling;
  texts_ = power_from(texts_ + (tokens_ - batch.tokens() + longest - 1) / longest);
  const bool has_skip = !batch.skip.empty();
  numbers_.assign(size_t(texts_ + 1 + (has_skip ? texts_ : 0) + tokens_), 0);
  fill_offsets(batch);
  auto at = numbers_.begin() + texts_ + 1;
  if (has_skip) {
    std::copy_n(batch.skip.i32(), batch.size(), at);
    at += texts_;
  }
  std::copy_n(batch.ids.i32(), batch.tokens(), at);
}

// Short texts ask least of attention, and none of them is one that all others are waited with.
void FilledBatch::fill_offsets(const Batch& batch) {
  std::copy_n(batch.offsets.i32(), batch.size() + 1, numbers_.begin());
  const int64_t left = tokens_ - batch.tokens(), texts = texts_ - batch.size();
  for (int64_t text = 1; text <= texts; ++text) {
    numbers_[size_t(batch.size() + text)] = int32_t(batch.tokens() + left * text / texts);
  }
}

Batch FilledBatch::view(const Batch& batch, const Tensor& numbers) const {
  Batch filled = batch;
  int32_t* at = numbers.i32();
  const auto take = [&](int64_t count) {
    const Tensor part{at, 1, count, Type::I32, numbers.place};
    at += count;
    return part;
  };
  filled.offsets = take(texts_ + 1);
  if (!batch.skip.empty()) filled.skip = take(texts_);
  filled.ids = take(tokens_);
  return filled;
}

Recordings::Entry& Recordings::entry_of(const PassShape& shape) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.shape == shape; });
  if (found != entries_.end()) {
    entries_.splice(entries_.begin(), entries_, found);
  } else {
    entries_.emplace_front().shape = shape;
    if (entries_.size() > kMostEntries) entries_.pop_back();
  }
  return entries_.front();
}

bool Recordings::is_worth(const PassShape& shape) { return ++entry_of(shape).seen >= kOften; }

int64_t Recordings::count() const {
  return std::count_if(entries_.begin(), entries_.end(),
                       [](const Entry& entry) { return entry.recording != nullptr; });
}

void Recordings::run(const Stream& stream, const PassShape& shape,
                     const std::function<void()>& body) {
  Entry& entry = entry_of(shape);
  Card& card = *stream.card;
  const uint64_t scratch = stream.scratch().allocations();
  if (entry.scratch != scratch) entry = {shape, entry.seen, scratch, false, nullptr};
  if (!entry.is_settled) {
    body();
    entry.is_settled = stream.scratch().allocations() == scratch;
    return;
  }
  if (!entry.recording) entry.recording = card.record(body);
  card.replay(*entry.recording);
}

}  // namespace inbatch
