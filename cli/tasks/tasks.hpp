// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "task.hpp"

namespace zeroth::cli {

/// One example of a task as text, its prompt made.
struct TextExample {
  std::string prompt;
  std::uint32_t label = 0;                       ///< index of the right candidate; the first of those with its text
  std::vector<std::string> candidates = {};      ///< empty: those of the task. Of a text to model: the text alone
  std::string neutral = {};                      ///< the neutral prompt, if the task has one
  std::string group = {};                        ///< what exact_match groups by
  std::size_t line = 0;                          ///< of its file, counted from 1
  std::size_t element = 0;                       ///< among the examples of that line, counted from 0
  std::shared_ptr<std::string const> file = {};  ///< its path, which all examples of a file share
};

/// Where an example comes from, for messages: "FILE:LINE", or "FILE:LINE: example 3" if it is not its line's first.
[[nodiscard]] std::string place_of(TextExample const& example);

/// A task's examples and the words that a model chooses among to complete each prompt.
struct TaskData {
  std::vector<std::string> candidates;  ///< of every example; empty if they have candidates of their own
  std::vector<TextExample> train;       ///< all that may be trained on; none is like a held-out one
  std::vector<TextExample> held_out;    ///< in an order fixed once and for all: take the first n to evaluate on n
  std::string split = {};               ///< what was divided to get the held-out examples; empty: a file of their own
};

/// The candidates of an example of the task.
[[nodiscard]] inline std::span<std::string const> candidates_of(TextExample const& example, TaskData const& data) {
  return example.candidates.empty() ? data.candidates : example.candidates;
}

/// What two examples have in common that are the same question: prompt and candidates.
[[nodiscard]] std::string identity_of(TextExample const& example);

/// The most that the examples of a file may take, in bytes: the sum of the two.
struct ExampleLimits {
  std::uint64_t always = std::uint64_t{1} << 30;
  std::uint64_t per_byte_of_file = 128;
};

/// Reads a task's files from `directory`, or from the folder of the task's own name within it; `directory` may be the
/// file itself where the task has but one.
///
/// Held-out examples are shuffled, by a seed that is the task's. A training example with the prompt and the candidates
/// of a held-out one is left out.
///
/// Time and memory are in proportion to the files and to the texts made of them. A text has at most
/// TextTemplate::most_bytes, and the examples of a file have at most what `limits` says: what is beyond that, as a long
/// text that all the examples of a long line have in common may be, is refused.
/// @throws InvalidFile naming file and line, if a file is missing, empty, no regular file, or holds a row of another
/// form.
[[nodiscard]] TaskData load_task(Task const& task, std::filesystem::path const& directory, ExampleLimits limits = {});

}  // namespace zeroth::cli
