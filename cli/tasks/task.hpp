// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth_model/decoder/scoring.hpp>

#include "records.hpp"
#include "text_template.hpp"

namespace zeroth::cli {

/// Which examples are held out, and in which order, must not depend on the seed of a run.
inline constexpr std::uint64_t default_split_seed = 0x5EED;

/// How one file is divided into training and held-out examples; which ones are held out depends only on the file.
struct TaskSplit {
  double held_out_share = 0;
  std::optional<std::uint64_t> at_most;  ///< held-out examples (per candidate, if balanced)
  bool balanced = false;                 ///< equally many held-out examples per candidate, in turn
  std::uint64_t seed = default_split_seed;
};

/// A range of numbers that stands for a candidate.
struct LabelRange {
  std::optional<double> above;
  std::optional<double> at_least;
  std::optional<double> below;
  std::optional<double> at_most;
  std::uint32_t candidate = 0;

  [[nodiscard]] bool contains(double value) const;
};

/// How a field gives the right candidate. With neither values nor ranges, the field is its index.
struct LabelRule {
  std::size_t field = 0;
  std::vector<std::pair<std::string, std::uint32_t>> values;
  std::vector<LabelRange> ranges;  ///< the first that contains the number counts; rows in none are skipped
};

/// How answers to a task are judged.
struct Metric {
  enum class Kind : std::uint8_t {
    accuracy,     ///< share of examples whose best candidate is the right one
    f1,           ///< harmonic mean of precision and recall of the candidate `positive`
    exact_match,  ///< share of groups in which every example's best candidate is the right one
    loss          ///< of a text: mean negative log-likelihood per token
  };
  Kind kind = Kind::accuracy;
  std::uint32_t positive = 0;

  bool operator==(Metric const&) const = default;
};

[[nodiscard]] constexpr std::string_view to_string(Metric::Kind kind) noexcept {
  switch (kind) {
    case Metric::Kind::accuracy:
      return "accuracy";
    case Metric::Kind::f1:
      return "f1";
    case Metric::Kind::exact_match:
      return "exact_match";
    case Metric::Kind::loss:
      return "loss";
  }
  return "unknown";
}

/// A task as its file describes it; docs/tasks.md explains each key.
struct Task {
  std::string file;  ///< its name in error messages
  std::string description;
  std::string folder;  ///< usual name of the folder with the data; may be empty

  std::string train;  ///< file of the training examples; may be empty
  std::string held_out;
  std::string all;  ///< file with both, divided by `split`; then the other two are empty
  TaskSplit split;

  RecordForm form;
  TextTemplate prompt;
  std::vector<TextTemplate> candidates;  ///< a single one, filled in for each element, if form.list is set
  std::size_t candidate_field = 0;       ///< the field for the element of form.list
  LabelRule label;

  Metric metric;
  std::optional<TextTemplate> group;    ///< exact_match: examples with the same text belong together
  std::optional<TextTemplate> neutral;  ///< the neutral prompt of CandidateScore::against_neutral
  std::optional<TextTemplate> text;     ///< the text to model; then there is no prompt, candidate or label
  model::ScoringOptions scoring;

  /// Whether tokens that all candidates begin with belong to the candidates instead of the prompt.
  bool candidates_own_shared_beginning = false;

  [[nodiscard]] bool is_text() const { return text.has_value(); }

  /// Whether every example has the same candidates.
  [[nodiscard]] bool has_fixed_candidates() const;
};

/// Reads a task from its JSON text.
/// @param file name of the text in error messages
/// @throws InvalidFile naming file, key, what was expected and what was found.
[[nodiscard]] Task parse_task(std::string_view json, std::string const& file);

/// Reads a task file.
/// @throws InvalidFile as parse_task(), or if the file cannot be read.
[[nodiscard]] Task load_task_file(std::string const& file);

/// The task that the option --task names: a built-in one, or a file whose name ends in ".json".
/// @throws InvalidArgument if it is neither.
/// @throws InvalidFile as parse_task, or if the file cannot be read.
[[nodiscard]] Task find_task(std::string const& option);

/// @throws InvalidArgument if it is neither a built-in task nor the name of a file that ends in ".json".
void check_task_option(std::string const& option);

}  // namespace zeroth::cli
