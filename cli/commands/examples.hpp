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
/// @throws InvalidArgument if --max-tokens is beyond the model's context.
[[nodiscard]] std::uint32_t longest_sequence(TaskOptions const& options, LanguageModel const& model);

/// The examples of a run as tokens.
struct RunExamples {
  EncodedExamples train;
  EncodedExamples validation;  ///< for choosing the best step; may be none
  EncodedExamples held_out;
};

/// What of the training examples a run trains on, and what it chooses its best step by.
struct TrainingChoice {
  std::vector<TextExample> train;
  std::vector<TextExample> validation;
};

/// Chooses `validation` examples and, of the others, `count` to train on, or all if there are fewer; which ones and in
/// which order depends on the seed. An example with prompt and candidates of a validation one is not trained on. Where
/// there are enough others, those trained on are the same for any `validation`.
/// @throws InvalidArgument if so many for validation leave none to train on.
[[nodiscard]] TrainingChoice choose_training_examples(TaskData const& data, std::uint64_t count,
                                                      std::uint64_t validation, std::uint64_t seed);

/// The first `count` held-out examples, or all if there are fewer: the same ones for every run.
[[nodiscard]] std::span<TextExample const> choose_held_out_examples(TaskData const& data, std::uint64_t count);

/// Takes `count` training examples out of `data`, to be shown before each prompt, and returns their text: each with its
/// right candidate and without white space at its ends, a blank line after each. Which ones and in which order depends
/// on the seed; there are as many of each candidate as there can be.
/// @throws InvalidArgument if the task has no candidates or fewer training examples.
[[nodiscard]] std::string take_demonstrations(Task const& task, TaskData& data, std::uint32_t count,
                                              std::uint64_t seed);

/// How examples of the task are encoded.
[[nodiscard]] EncodingRules encoding_rules(Task const& task, TaskData const& data, std::string demonstrations,
                                           std::uint32_t max_tokens);

}  // namespace zeroth::cli
