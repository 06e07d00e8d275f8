// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "options/options.hpp"
#include "run/encoding.hpp"
#include "run/language_model.hpp"
#include "tasks/tasks.hpp"

namespace zeroth::cli {

/// The longest sequence that the options allow the model.
/// @throws InvalidArgument if --max-tokens exceeds the model's context.
[[nodiscard]] std::uint32_t longest_sequence(TaskOptions const& options, LanguageModel const& model);

/// The examples of a run as tokens.
struct RunExamples {
  EncodedExamples train;
  EncodedExamples validation;  ///< to find the best step; may be empty
  EncodedExamples held_out;
};

/// How a run divides the training examples: to train on, and to find the best step.
struct TrainingChoice {
  std::vector<TextExample> train;
  std::vector<TextExample> validation;
};

/// Chooses `validation` examples and, from the others, `count` to train on, or all if there are fewer. The seed decides
/// which ones, and their order. An example with the prompt and candidates of a validation example is not trained on. If
/// enough others remain, the examples to train on are the same for any `validation`.
/// @throws InvalidArgument if none would be left to train on.
[[nodiscard]] TrainingChoice choose_training_examples(TaskData const& data, std::uint64_t count,
                                                      std::uint64_t validation, std::uint64_t seed);

/// The first `count` held-out examples, or all if there are fewer: the same ones for every run.
[[nodiscard]] std::span<TextExample const> choose_held_out_examples(TaskData const& data, std::uint64_t count);

/// Removes `count` training examples from `data`, to be shown before each prompt, and returns their text: each with its
/// right candidate and without white space at its ends, followed by a blank line. The seed decides which ones, and
/// their order; they are balanced over the candidates as far as possible.
/// @throws InvalidArgument if the task has no candidates or fewer training examples.
[[nodiscard]] std::string take_demonstrations(Task const& task, TaskData& data, std::uint32_t count,
                                              std::uint64_t seed);

/// How examples of the task are encoded.
[[nodiscard]] EncodingRules encoding_rules(Task const& task, TaskData const& data, std::string demonstrations,
                                           std::uint32_t max_tokens);

}  // namespace zeroth::cli
