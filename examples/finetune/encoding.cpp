// SPDX-License-Identifier: MIT
#include "encoding.hpp"

#include <algorithm>
#include <optional>

#include <zeroth/error.hpp>

#include "text.hpp"

namespace zeroth::cli {
namespace {

using Tokens = std::vector<std::int32_t>;

std::size_t common_prefix(std::span<Tokens const> sequences) {
  std::size_t length = sequences.front().size();
  for (Tokens const& sequence : sequences.subspan(1)) {
    auto const [end, ignored] = std::mismatch(sequence.begin(), sequence.end(), sequences.front().begin(),
                                              sequences.front().begin() + static_cast<std::ptrdiff_t>(length));
    length = static_cast<std::size_t>(end - sequence.begin());
  }
  return length;
}

}  // namespace

EncodedExamples::EncodedExamples(std::span<Example const> examples, std::span<std::string const> candidates,
                                 model::BytePairTokenizer const& tokenizer, std::uint32_t max_tokens)
    : candidates_(candidates.size()) {
  std::optional<std::int32_t> const first = tokenizer.add_bos() ? tokenizer.bos() : std::nullopt;
  std::size_t const first_tokens = first ? 1 : 0;
  std::vector<Tokens> sequences(candidates.size());
  for (Example const& example : examples) {
    std::size_t longest = 0;
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      sequences[c] = tokenizer.encode(example.prompt + candidates[c]);
      if (first) sequences[c].insert(sequences[c].begin(), *first);
      longest = std::max(longest, sequences[c].size());
    }
    std::size_t const shared = common_prefix(sequences);
    for (std::size_t c = 0; c < candidates.size(); ++c)
      if (shared == 0 || sequences[c].size() == shared)
        throw InvalidArgument("the tokenizer gives candidate " + in_quotes(candidates[c]) +
                              " or its prompt no token of its own after " + in_quotes(example.prompt));

    std::size_t const longest_candidate = longest - shared;
    if (longest_candidate + first_tokens + 1 > max_tokens)
      throw InvalidArgument("--max-tokens: expected at least " + std::to_string(longest_candidate + first_tokens + 1) +
                            ", found " + std::to_string(max_tokens));
    std::size_t const kept = std::min(shared, max_tokens - longest_candidate);
    truncated_ += kept < shared ? 1 : 0;
    tokens_.insert(tokens_.end(), sequences[0].begin(),
                   sequences[0].begin() + static_cast<std::ptrdiff_t>(first_tokens));
    add(std::span(sequences[0]).subspan(first_tokens + shared - kept, kept - first_tokens));
    for (Tokens const& sequence : sequences) add(std::span(sequence).subspan(shared));
    labels_.push_back(example.label);
  }
}

}  // namespace zeroth::cli
