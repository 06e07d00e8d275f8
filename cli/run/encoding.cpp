// SPDX-License-Identifier: MIT
#include "encoding.hpp"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include <zeroth/error.hpp>
#include <zeroth/numeric/split_mix.hpp>

#include "io/text.hpp"

namespace zeroth::cli {
namespace {

using Tokens = std::vector<std::int32_t>;

/// How many tokens two sequences share at their beginning, among the first `most` of the first one.
std::size_t common_prefix(Tokens const& first, std::size_t most, Tokens const& second) {
  auto const end = first.begin() + static_cast<std::ptrdiff_t>(most);
  return static_cast<std::size_t>(std::mismatch(first.begin(), end, second.begin(), second.end()).first -
                                  first.begin());
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

  /// Keeps the prompt's tokens once, not once per candidate.
  /// @param start tokens before the prompt
  Continuations continuations(TextExample const& example, std::string const& prompt,
                              std::span<std::string const> candidates, Tokens const& start) const {
    // Each sequence is the first `common` tokens of the first one, followed by `rest`.
    struct Sequence {
      std::size_t common = 0;
      Tokens rest;
    };
    std::vector<Sequence> sequences;
    Tokens first;
    std::size_t shared = 0;
    auto const take = [&](Tokens sequence) {
      if (sequences.empty()) {
        first = std::move(sequence);
        shared = first.size();
        sequences.push_back({shared, {}});
        return;
      }
      shared = common_prefix(first, shared, sequence);
      sequences.push_back({shared, Tokens(sequence.begin() + static_cast<std::ptrdiff_t>(shared), sequence.end())});
    };
    for (std::string const& candidate : candidates) take(tokenizer_.encode(prompt + candidate));
    if (rules_.candidates_own_shared_beginning) take(tokenizer_.encode(prompt));
    sequences.resize(candidates.size());
    auto const place = [&](std::size_t index) { return first.begin() + static_cast<std::ptrdiff_t>(index); };

    if (start.size() + shared == 0)
      throw InvalidFile(place_of(example) +
                        ": expected a prompt with a token of its own before the candidates, found " +
                        in_quotes(prompt));
    std::size_t longest = 0;
    for (std::size_t c = 0; c < candidates.size(); ++c) {
      std::size_t const own = sequences[c].common - shared + sequences[c].rest.size();
      if (own == 0) reject_candidate(example, prompt, candidates, c);
      longest = std::max(longest, own);
    }
    if (start.size() + 1 + longest > rules_.max_tokens)
      throw InvalidArgument("--max-tokens: expected at least " + std::to_string(start.size() + 1 + longest) +
                            (example.file ? " for " + place_of(example) : "") + ", found " +
                            std::to_string(rules_.max_tokens));
    std::size_t const kept = std::min(shared, rules_.max_tokens - longest - start.size());

    Continuations result{.prompt = start, .candidates = {}, .truncated = kept < shared};
    result.prompt.insert(result.prompt.end(), place(shared - kept), place(shared));
    for (Sequence const& sequence : sequences) {
      Tokens& candidate = result.candidates.emplace_back(place(shared), place(sequence.common));
      candidate.insert(candidate.end(), sequence.rest.begin(), sequence.rest.end());
    }
    return result;
  }

  /// @return whether the prompt lost its beginning
  bool add(TextExample const& example, std::vector<model::Example>& out) const {
    std::span<std::string const> const candidates = example.candidates.empty() ? rules_.candidates : example.candidates;
    Continuations own = continuations(example, rules_.demonstrations + example.prompt, candidates, start_);
    model::Example encoded{
        .prompt = std::move(own.prompt), .candidates = std::move(own.candidates), .label = example.label};
    if (rules_.against_neutral) {
      Continuations neutral = continuations(example, example.neutral, candidates, start_of_neutral(example.neutral));
      encoded.neutral = {std::move(neutral.prompt), std::move(neutral.candidates)};
    }
    out.push_back(std::move(encoded));
    return own.truncated;
  }

  void add_text(TextExample const& example, std::vector<model::Example>& out) const {
    Tokens const tokens = tokenizer_.encode(example.candidates.at(0));
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
  /// @param c the candidate all of whose tokens are shared
  [[noreturn]] static void reject_candidate(TextExample const& example, std::string const& prompt,
                                            std::span<std::string const> candidates, std::size_t c) {
    std::string found = "none after the prompt " + in_quotes(prompt);
    for (std::size_t other = 0; other < candidates.size(); ++other) {
      if (other == c || !candidates[other].starts_with(candidates[c])) continue;
      found = candidates[other] == candidates[c] ? "another with the same text"
                                                 : "that " + in_quotes(candidates[other]) + " begins with it";
      break;
    }
    throw InvalidFile(place_of(example) + ": candidate " + in_quotes(candidates[c]) +
                      ": expected a token that no other candidate begins with, found " + found +
                      "; \"shared_beginning\": \"candidate\" in the task lets candidates own what they share");
  }

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
      encoder.add_text(examples[i], result.examples);
    else
      result.truncated += encoder.add(examples[i], result.examples) ? 1 : 0;
    // An example without a group's name is a group of its own.
    auto const number = static_cast<std::uint32_t>(i);
    std::uint32_t const group =
        examples[i].group.empty() ? number : groups.emplace(examples[i].group, number).first->second;
    result.sources.resize(result.examples.size(), number);
    result.groups.resize(result.examples.size(), group);
  }
  if (result.examples.empty() && !examples.empty())
    throw InvalidArgument((examples[0].file ? *examples[0].file + ": " : "") +
                          "expected a text of at least two tokens, found none among " +
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

std::uint64_t hash_of_groups(EncodedExamples const& examples) {
  std::uint64_t hash = 0;
  for (std::uint32_t group : examples.groups) hash = split_mix(hash ^ group);
  return hash;
}

}  // namespace zeroth::cli
