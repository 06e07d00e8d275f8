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

/// How one file is divided into training and held-out examples; which ones are held out depends on the file alone.
struct TaskSplit {
  double held_out_share = 0;
  std::optional<std::uint64_t> at_most;  ///< held-out examples (of each candidate, if balanced)
  bool balanced = false;                 ///< as many held-out examples of each candidate, one of each in turn
  std::uint64_t seed = default_split_seed;
};

/// A range of numbers that means a candidate.
struct LabelRange {
  std::optional<double> above;
  std::optional<double> at_least;
  std::optional<double> below;
  std::optional<double> at_most;
  std::uint32_t candidate = 0;

  [[nodiscard]] bool contains(double value) const;
};

/// How the right candidate follows from a field. With neither values nor ranges the field is its index.
struct LabelRule {
  std::size_t field = 0;
  std::vector<std::pair<std::string, std::uint32_t>> values;
  std::vector<LabelRange> ranges;  ///< the first that contains the number; a row in none is left out
};

/// What a task is judged by.
struct Metric {
  enum class Kind : std::uint8_t {
    accuracy,     ///< share of examples whose best candidate is the right one
    f1,           ///< harmonic mean of precision and recall of the candidate `positive`
    exact_match,  ///< share of groups in which every example's best candidate is the right one
    loss          ///< of a text: mean negative log-likelihood of a token
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
  std::string file;  ///< what error messages call the file
  std::string description;
  std::string folder;  ///< own name of the folder with the data; may be empty

  std::string train;  ///< file of the training examples; may be empty
  std::string held_out;
  std::string all;  ///< file with both, divided by `split`; if not empty, the two others are
  TaskSplit split;

  RecordForm form;
  TextTemplate prompt;
  std::vector<TextTemplate> candidates;  ///< one alone, made for each element, if form.list is there
  std::size_t candidate_field = 0;       ///< the field that holds the element of form.list
  LabelRule label;

  Metric metric;
  std::optional<TextTemplate> group;    ///< exact_match: examples of which this is the same belong together
  std::optional<TextTemplate> neutral;  ///< the neutral prompt of CandidateScore::against_neutral
  std::optional<TextTemplate> text;     ///< the text to model; there are then no prompt, candidates and label
  model::ScoringOptions scoring;

  /// Whether tokens that all candidates begin with count as theirs, not as the prompt's.
  bool candidates_own_shared_beginning = false;

  [[nodiscard]] bool is_text() const { return text.has_value(); }

  /// Whether every example has the same candidates.
  [[nodiscard]] bool has_fixed_candidates() const;
};

/// Reads a task from its JSON text.
/// @param file what error messages call the text
/// @throws InvalidFile naming file, key, what was expected and what was found.
[[nodiscard]] Task parse_task(std::string_view json, std::string const& file);

/// The task that the option --task means: a built-in one, or a file whose name ends in ".json".
/// @throws InvalidArgument if it is neither.
/// @throws InvalidFile as parse_task, or if the file cannot be read.
[[nodiscard]] Task find_task(std::string const& option);

/// @throws InvalidArgument if it is neither a built-in task nor the name of a file that ends in ".json".
void check_task_option(std::string const& option);

}  // namespace zeroth::cli
