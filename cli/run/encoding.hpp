// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <zeroth_model/decoder/scoring.hpp>

#include "tasks/tasks.hpp"
#include "tokenizer.hpp"

namespace zeroth::cli {

/// How the examples of a task are encoded.
struct EncodingRules {
  std::vector<std::string> candidates;           ///< of examples without candidates of their own
  std::string demonstrations = {};               ///< text before each prompt
  bool candidates_own_shared_beginning = false;  ///< see Task
  bool against_neutral = false;                  ///< whether examples have a neutral prompt
  bool is_text = false;                          ///< whether an example's only candidate is a text to model
  std::uint32_t max_tokens = 0;                  ///< of a sequence
};

/// Examples as tokens.
struct EncodedExamples {
  std::vector<model::Example> examples;
  std::vector<std::uint32_t> sources;  ///< of each, the index of the text example it comes from
  std::vector<std::uint32_t> groups;   ///< of each, a number that the examples of a group share
  std::size_t truncated = 0;           ///< how many prompts lost their beginning
};

/// Encodes each example's prompt together with each candidate, so that tokens can span the boundary as they would in
/// running text. The tokens that all candidates' sequences start with are the prompt, and the rest of each is the
/// candidate. If candidates own their shared beginning, only tokens that the prompt by itself also starts with count as
/// the prompt.
///
/// The token that the model expects before each text, if any, comes first; before an empty neutral prompt it comes in
/// any case. A sequence of more than `max_tokens` loses the beginning of its prompt, demonstrations first, and the same
/// tokens for each candidate.
///
/// A text to model is cut into pieces of at most `max_tokens`. Each is an example whose prompt is the token before its
/// first one. A text of a single token with none before it has nothing to score and is left out.
///
/// Each candidate is encoded with the whole prompt. Memory: the returned tokens.
/// @throws InvalidArgument naming the example's file and line, if `max_tokens` leaves no room for a prompt, or if no
///   text has a token to score.
/// @throws InvalidFile naming the same, if a prompt or a candidate has no token of its own.
[[nodiscard]] EncodedExamples encode(std::span<TextExample const> examples, EncodingRules const& rules,
                                     Tokenizer const& tokenizer);

/// A hash of everything in the examples that losses depend on: tokens, labels and order.
[[nodiscard]] std::uint64_t hash_of(EncodedExamples const& examples);

/// A hash of which examples belong together.
[[nodiscard]] std::uint64_t hash_of_groups(EncodedExamples const& examples);

}  // namespace zeroth::cli
