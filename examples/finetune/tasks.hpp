// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace zeroth::cli {

/// One labelled example of a classification task as text, its prompt made.
struct TextExample {
  std::string prompt;
  std::uint32_t label = 0;  ///< index of the right candidate
};

/// A task: its examples and the words that a model chooses among to complete each prompt.
struct TaskData {
  std::vector<std::string> candidates;
  std::vector<TextExample> train;     ///< all examples that may be trained on; none has the prompt of a held-out one
  std::vector<TextExample> held_out;  ///< in an order fixed once and for all: take the first n to evaluate on n
};

/// The tasks that load_task knows, for a help text.
inline constexpr std::string_view task_names = "sst2, rte, movie-reviews";

/// @throws InvalidArgument if there is no task of that name.
void check_task_name(std::string_view name);

/// Reads a task from `directory`, or from the folder of the task's own name within it.
///
/// - `sst2`: train.tsv and dev.tsv (held out), tab separated, with a header that names a column `label` (0 or 1) and
/// one
///   other, the text; the folder's own name is SST-2.
/// - `rte`: train.jsonl and val.jsonl (held out) in the form of SuperGLUE; the folder's own name is RTE.
/// - `movie-reviews`: movieReviewSnippets_GroundTruth.txt (vaderSentiment's; its folder's own name is
///   hutto_ICWSM_2014), tab separated: id, mean rating, text. A rating above 0.5 is positive, one below -0.5 negative;
///   the others are left out. A fifth of the smaller class, at most 1000, is held out of each class; which ones
///   depends on the file alone.
///
/// Bytes that are not UTF-8 become U+FFFD.
/// @throws InvalidArgument if there is no task of that name.
/// @throws InvalidFile naming file and line, if a file is missing, empty or holds a row of another form.
[[nodiscard]] TaskData load_task(std::string_view name, std::filesystem::path const& directory);

}  // namespace zeroth::cli
