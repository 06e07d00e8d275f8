// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <zeroth/model/scoring.hpp>
#include <zeroth/model/tokenizer/byte_pair_tokenizer.hpp>

#include "tasks.hpp"

namespace zeroth::cli {

/// Examples as tokens.
struct EncodedExamples {
  std::vector<model::Example> examples;
  std::size_t truncated = 0;  ///< how many prompts lost their beginning
};

/// Encodes each example's prompt together with each candidate, so that tokens form across the seam as they would in
/// text; the prompt is what the candidates' sequences begin with in common, the rest of each is the candidate.
///
/// The token that the model wants before each text comes first, if it wants one. A sequence of more than `max_tokens`
/// loses the beginning of its prompt, the same tokens for each candidate.
/// @throws InvalidArgument if `max_tokens` leaves no room for a prompt, or a candidate has no token of its own.
[[nodiscard]] EncodedExamples encode(std::span<TextExample const> examples, std::span<std::string const> candidates,
                                     model::BytePairTokenizer const& tokenizer, std::uint32_t max_tokens);

}  // namespace zeroth::cli
