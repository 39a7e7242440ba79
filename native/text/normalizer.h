// The normaliser of a tokenizer: its steps after one another.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "characters.h"
#include "definition.h"
#include "growth.h"

namespace inbatch::text {

// A step that makes of each character others, which the host knows. Characters that join stay with
// the neighbours that they may work with, at most one that does not join on each side, and the host
// is asked for the whole.
class Forms {
 public:
  Forms(Host& host, int step, bool counted)
      : host_(host), step_(step), counted_(counted), blocks_(kBlocks) {}

  void run(Text in, std::u16string& out, Growth& growth);

 private:
  const BlockForms& block_of(char32_t code);
  BlockForms::Kind kind_at(Text in, size_t at);
  size_t cluster_end(Text in, size_t at);
  const std::u16string& normalized(Text cluster);

  Host& host_;
  int step_;
  bool counted_;
  std::vector<std::unique_ptr<BlockForms>> blocks_;
  std::unordered_map<std::u16string, std::u16string> clusters_;
  std::u16string key_, unkept_;
};

class Normalizer {
 public:
  Normalizer(const Definition& definition, Host& host, Characters& characters);

  // The result stands until the next call.
  Text normalize(Text text);
  void forget() { release(buffers_[0], buffers_[1]); }

 private:
  void run(size_t step, Text in, std::u16string& out);
  void replace(const NormalizerStep& step, Text in, std::u16string& out);
  void replace_spaces(const NormalizerStep& step, Text in, std::u16string& out);
  Text stripped(const NormalizerStep& step, Text in);

  std::vector<NormalizerStep> steps_;
  std::vector<Forms> forms_;  // of all steps; others have none that is used
  Characters& characters_;
  Growth growth_;
  std::u16string buffers_[2];
};

}  // namespace inbatch::text
