// SPDX-License-Identifier: MIT
#include "encoding.hpp"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include <zeroth/error.hpp>
#include <zeroth/random/split_mix.hpp>

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

/// A prompt and what may follow it, as tokens.
struct Continuations {
  Tokens prompt;
  std::vector<Tokens> candidates;
  bool truncated = false;
};

class Encoder {
 public:
  Encoder(EncodingRules const& rules, Tokenizer const& tokenizer) : rules_(rules), tokenizer_(tokenizer) {
    if (tokenizer.add_bos() && tokenizer.bos()) start_.push_back(*tokenizer.bos());
  }

  /// @param start what comes before the prompt
  Continuations continuations(std::string const& prompt, std::span<std::string const> candidates,
                              Tokens const& start) const {
    std::vector<Tokens> sequences;
    for (std::string const& candidate : candidates) sequences.push_back(tokenizer_.encode(prompt + candidate));
    if (rules_.candidates_own_shared_beginning) sequences.push_back(tokenizer_.encode(prompt));
    std::size_t const shared = common_prefix(sequences);
    sequences.resize(candidates.size());
    std::size_t longest = 0;
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      if (start.size() + shared == 0 || sequences[c].size() == shared)
        throw InvalidArgument("candidate " + in_quotes(candidates[c]) +
                              " or its prompt has no token of its own after " + in_quotes(prompt) +
                              "; \"shared_beginning\": \"candidate\" in the task lets candidates own what they share");
      longest = std::max(longest, sequences[c].size() - shared);
    }
    if (start.size() + 1 + longest > rules_.max_tokens)
      throw InvalidArgument("--max-tokens: expected at least " + std::to_string(start.size() + 1 + longest) +
                            ", found " + std::to_string(rules_.max_tokens));
    std::size_t const kept = std::min(shared, rules_.max_tokens - longest - start.size());

    Continuations result{.prompt = start, .candidates = {}, .truncated = kept < shared};
    auto const end = sequences[0].begin() + static_cast<std::ptrdiff_t>(shared);
    result.prompt.insert(result.prompt.end(), end - static_cast<std::ptrdiff_t>(kept), end);
    for (Tokens const& sequence : sequences)
      result.candidates.emplace_back(sequence.begin() + static_cast<std::ptrdiff_t>(shared), sequence.end());
    return result;
  }

  /// @return whether the prompt lost its beginning
  bool add(TextExample const& example, std::vector<model::Example>& out) const {
    std::span<std::string const> const candidates = example.candidates.empty() ? rules_.candidates : example.candidates;
    Continuations own = continuations(rules_.demonstrations + example.prompt, candidates, start_);
    model::Example encoded{
        .prompt = std::move(own.prompt), .candidates = std::move(own.candidates), .label = example.label};
    if (rules_.against_neutral) {
      Continuations neutral = continuations(example.neutral, candidates, start_of_neutral(example.neutral));
      encoded.neutral = {std::move(neutral.prompt), std::move(neutral.candidates)};
    }
    out.push_back(std::move(encoded));
    return own.truncated;
  }

  void add_text(std::string const& text, std::vector<model::Example>& out) const {
    Tokens const tokens = tokenizer_.encode(text);
    Tokens before = start_;
    if (start_.size() + 2 > rules_.max_tokens)
      throw InvalidArgument("--max-tokens: expected at least " + std::to_string(start_.size() + 2) + ", found " +
                            std::to_string(rules_.max_tokens));
    for (std::size_t next = start_.empty() ? 1 : 0; next < tokens.size();) {
      if (next > 0) {
        before = start_;
        before.push_back(tokens[next - 1]);
      }
      auto const begin = tokens.begin() + static_cast<std::ptrdiff_t>(next);
      std::size_t const count = std::min(tokens.size() - next, rules_.max_tokens - before.size());
      out.push_back({.prompt = before, .candidates = {Tokens(begin, begin + static_cast<std::ptrdiff_t>(count))}});
      next += count;
    }
  }

 private:
  [[nodiscard]] Tokens start_of_neutral(std::string const& prompt) const {
    if (start_.empty() && prompt.empty() && tokenizer_.bos()) return {*tokenizer_.bos()};
    return start_;
  }

  EncodingRules const& rules_;
  Tokenizer const& tokenizer_;
  Tokens start_;
};

}  // namespace

EncodedExamples encode(std::span<TextExample const> examples, EncodingRules const& rules, Tokenizer const& tokenizer) {
  Encoder const encoder(rules, tokenizer);
  EncodedExamples result;
  result.examples.reserve(examples.size());
  std::unordered_map<std::string, std::uint32_t> groups;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    if (rules.is_text)
      encoder.add_text(examples[i].candidates.at(0), result.examples);
    else
      result.truncated += encoder.add(examples[i], result.examples) ? 1 : 0;
    // Without a name an example is a group of its own.
    auto const number = static_cast<std::uint32_t>(i);
    std::uint32_t const group =
        examples[i].group.empty() ? number : groups.emplace(examples[i].group, number).first->second;
    result.sources.resize(result.examples.size(), number);
    result.groups.resize(result.examples.size(), group);
  }
  if (result.examples.empty() && !examples.empty())
    throw InvalidArgument("expected a text of at least two tokens, found none among " +
                          std::to_string(examples.size()));
  return result;
}

std::uint64_t hash_of(EncodedExamples const& examples) {
  std::uint64_t hash = 0;
  auto const add = [&](std::uint64_t value) { hash = split_mix(hash ^ value); };
  auto const add_all = [&](Tokens const& tokens) {
    add(tokens.size());
    for (std::int32_t token : tokens) add(static_cast<std::uint32_t>(token));
  };
  auto const add_each = [&](std::vector<Tokens> const& candidates) {
    add(candidates.size());
    for (Tokens const& candidate : candidates) add_all(candidate);
  };
  for (model::Example const& example : examples.examples) {
    add_all(example.prompt);
    add_each(example.candidates);
    add(example.label);
    add_all(example.neutral.prompt);
    add_each(example.neutral.candidates);
  }
  return hash;
}

}  // namespace zeroth::cli
