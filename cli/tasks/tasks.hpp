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

/// One example of a task as text, with the prompt filled in.
struct TextExample {
  std::string prompt;
  std::uint32_t label = 0;                       ///< index of the right candidate, or of the first with the same text
  std::vector<std::string> candidates = {};      ///< empty: those of the task. Of a text to model: only the text
  std::string neutral = {};                      ///< the neutral prompt, if the task has one
  std::string group = {};                        ///< exact_match groups by it
  std::size_t line = 0;                          ///< in its file, counted from 1
  std::size_t element = 0;                       ///< among the examples of that line, counted from 0
  std::shared_ptr<std::string const> file = {};  ///< its path, shared by all examples of a file
};

/// Where an example comes from, for messages: "FILE:LINE", or "FILE:LINE: example 3" if it is not the line's first.
[[nodiscard]] std::string place_of(TextExample const& example);

/// The examples of a task, and the candidates among which a model chooses to complete each prompt.
struct TaskData {
  std::vector<std::string> candidates;  ///< of every example; empty if they have candidates of their own
  std::vector<TextExample> train;       ///< all that may be trained on; none equals a held-out example
  std::vector<TextExample> held_out;    ///< in a fixed order: take the first n to evaluate on n
  std::string split = {};               ///< how a file was divided, for people; empty: two files
};

/// The candidates of an example of the task.
[[nodiscard]] inline std::span<std::string const> candidates_of(TextExample const& example, TaskData const& data) {
  return example.candidates.empty() ? data.candidates : example.candidates;
}

/// Prompt and candidates: two examples with the same identity are the same question.
[[nodiscard]] std::string identity_of(TextExample const& example);

/// The most bytes that the examples of a file may take: the sum of the two parts.
struct ExampleLimits {
  std::uint64_t always = std::uint64_t{1} << 30;
  std::uint64_t per_byte_of_file = 128;
};

/// Reads a task's files from `directory`, or from the task's folder within it; `directory` may be the file itself if
/// the task has only one.
///
/// Held-out examples are shuffled with a seed that belongs to the task. A training example with the prompt and the
/// candidates of a held-out one is left out.
///
/// Time and memory are proportional to the files and to the texts derived from them. A text has at most
/// TextTemplate::most_bytes, and the examples of a file at most what `limits` says. What exceeds that is rejected, for
/// instance a long text shared by all examples of a line.
/// @throws InvalidFile naming file and line, if a file is missing, empty, not regular, or has a row in another format.
[[nodiscard]] TaskData load_task(Task const& task, std::filesystem::path const& directory, ExampleLimits limits = {});

}  // namespace zeroth::cli
