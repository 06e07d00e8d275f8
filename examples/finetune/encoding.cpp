// SPDX-License-Identifier: MIT
#include "encoding.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <zeroth/error.hpp>

#include "text.hpp"

namespace zeroth::cli {
namespace {

using Tokens = std::vector<std::int32_t>;

std::size_t common_prefix(std::span<Tokens const> sequences) {
  Tokens const& first = sequences.front();
  std::size_t length = first.size();
  for (Tokens const& sequence : sequences.subspan(1)) {
    auto const end = first.begin() + static_cast<std::ptrdiff_t>(length);
    length = static_cast<std::size_t>(std::mismatch(first.begin(), end, sequence.begin(), sequence.end()).first -
                                      first.begin());
  }
  return length;
}

}  // namespace

EncodedExamples encode(std::span<TextExample const> examples, std::span<std::string const> candidates,
                       model::BytePairTokenizer const& tokenizer, std::uint32_t max_tokens) {
  Tokens start;
  if (tokenizer.add_bos() && tokenizer.bos()) start.push_back(*tokenizer.bos());
  EncodedExamples result;
  result.examples.reserve(examples.size());
  for (TextExample const& example : examples) {
    std::vector<Tokens> sequences;
    for (std::string const& candidate : candidates) sequences.push_back(tokenizer.encode(example.prompt + candidate));
    std::size_t const shared = common_prefix(sequences);
    std::size_t longest = 0;
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      if (start.size() + shared == 0 || sequences[c].size() == shared)
        throw InvalidArgument("candidate " + in_quotes(candidates[c]) +
                              " or its prompt has no token of its own after " + in_quotes(example.prompt));
      longest = std::max(longest, sequences[c].size() - shared);
    }
    if (start.size() + 1 + longest > max_tokens)
      throw InvalidArgument("--max-tokens: expected at least " + std::to_string(start.size() + 1 + longest) +
                            ", found " + std::to_string(max_tokens));
    std::size_t const kept = std::min(shared, max_tokens - longest - start.size());
    result.truncated += kept < shared ? 1 : 0;

    model::Example encoded{.prompt = start, .candidates = {}, .label = example.label};
    auto const end = sequences[0].begin() + static_cast<std::ptrdiff_t>(shared);
    encoded.prompt.insert(encoded.prompt.end(), end - static_cast<std::ptrdiff_t>(kept), end);
    for (Tokens const& sequence : sequences)
      encoded.candidates.emplace_back(sequence.begin() + static_cast<std::ptrdiff_t>(shared), sequence.end());
    result.examples.push_back(std::move(encoded));
  }
  return result;
}

}  // namespace zeroth::cli
