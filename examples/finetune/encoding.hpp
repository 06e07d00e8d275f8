// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <zeroth/model/tokenizer/byte_pair_tokenizer.hpp>

#include "tasks.hpp"

namespace zeroth::cli {

/// Examples as tokens, all of them in one flat vector.
class EncodedExamples {
 public:
  /// Encodes each example's prompt together with each candidate, so that tokens form across the seam as they would in
  /// text; the prompt is what the candidates' sequences begin with in common, the rest of each is the candidate.
  ///
  /// The token that the model wants before each text comes first, if it wants one. A sequence of more than `max_tokens`
  /// loses the beginning of its prompt, the same tokens for each candidate.
  /// @throws InvalidArgument if `max_tokens` leaves no room for a prompt, or a candidate has no token of its own.
  EncodedExamples(std::span<Example const> examples, std::span<std::string const> candidates,
                  model::BytePairTokenizer const& tokenizer, std::uint32_t max_tokens);

  [[nodiscard]] std::size_t size() const noexcept { return labels_.size(); }
  [[nodiscard]] std::size_t candidates() const noexcept { return candidates_; }

  /// How many prompts lost their beginning.
  [[nodiscard]] std::size_t truncated() const noexcept { return truncated_; }

  /// The tokens that all of the example's sequences begin with, at least one.
  [[nodiscard]] std::span<std::int32_t const> prompt(std::size_t example) const { return part(example, 0); }

  /// The tokens of one candidate that follow the prompt, at least one.
  [[nodiscard]] std::span<std::int32_t const> candidate(std::size_t example, std::size_t candidate) const {
    return part(example, candidate + 1);
  }

  /// Index of the right candidate.
  [[nodiscard]] std::uint32_t label(std::size_t example) const { return labels_[example]; }

  /// Tokens of the prompt and of all candidates.
  [[nodiscard]] std::size_t tokens(std::size_t example) const {
    return ends_[(example + 1) * (candidates_ + 1)] - ends_[example * (candidates_ + 1)];
  }

 private:
  [[nodiscard]] std::span<std::int32_t const> part(std::size_t example, std::size_t index) const {
    std::size_t const i = example * (candidates_ + 1) + index;
    return std::span(tokens_).subspan(ends_[i], ends_[i + 1] - ends_[i]);
  }
  void add(std::span<std::int32_t const> part) {
    tokens_.insert(tokens_.end(), part.begin(), part.end());
    ends_.push_back(static_cast<std::uint32_t>(tokens_.size()));
  }

  std::size_t candidates_;
  std::vector<std::int32_t> tokens_;       ///< prompt, candidates; prompt, candidates; ...
  std::vector<std::uint32_t> ends_ = {0};  ///< where each part ends in tokens_, after a 0
  std::vector<std::uint32_t> labels_;
  std::size_t truncated_ = 0;
};

}  // namespace zeroth::cli
