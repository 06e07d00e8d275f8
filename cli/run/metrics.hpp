// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <zeroth/journal.hpp>

#include "io/output.hpp"
#include "run/evaluation_set.hpp"
#include "tasks/task.hpp"

namespace zeroth::cli {

/// One step, as in metrics.jsonl. Losses that are not finite are written as null.
struct StepMetrics {
  std::uint64_t step = 0;            ///< counted from 1
  double loss = 0;                   ///< mean over all points
  std::optional<double> loss_base;   ///< at theta itself, if the estimator evaluates it
  std::optional<double> loss_plus;   ///< at theta + epsilon m z, mean over the samples
  std::optional<double> loss_minus;  ///< at theta - epsilon m z, mean over the samples, if there are such points
  std::optional<double> projected_gradient;  ///< none: no longer known
  double learning_rate = 0;
  std::uint64_t active_weights = 0;
  std::optional<double> seconds;  ///< none: no longer known
  std::string_view skipped;       ///< why the weights were not updated; empty: they were
};

/// One evaluation.
struct EvaluationMetrics {
  std::uint64_t step = 0;          ///< how many steps were done before
  std::optional<double> accuracy;  ///< none for a text
  double metric = 0;               ///< the task's metric
  double loss = 0;
  std::uint64_t examples = 0;
  EvaluationSet set = EvaluationSet::held_out;
};

/// A line of metrics.jsonl that was found, or rebuilt from the journal. Of a step only number and seconds are read.
struct MetricsLine {
  std::variant<StepMetrics, EvaluationMetrics> metrics;
  std::string text;
  bool is_remade = false;
};

/// The lines of metrics.jsonl that belong to a journal's entries, one for each. A line of the file is kept if it agrees
/// with its entry, wherever in the file it is; otherwise a line is rebuilt from the entry, with null for the rest.
/// @param path of the file, which need not exist
/// @throws InvalidFile if the file exists and cannot be read, or an entry is an evaluation of another program
[[nodiscard]] std::vector<MetricsLine> metrics_of(std::vector<JournalEntry> const& entries,
                                                  std::filesystem::path const& path, Metric const& metric);

/// Writes metrics.jsonl during the run, one JSON object per line.
class MetricsFile {
 public:
  /// Continues after these lines: anything else in the file is cut off, and a file that does not begin with them is
  /// replaced.
  /// @throws InvalidFile if it cannot be created; both `write`s throw it if they fail.
  MetricsFile(std::filesystem::path const& path, std::vector<MetricsLine> const& lines);

  void write(StepMetrics const& metrics);
  void write(EvaluationMetrics const& metrics);

  /// Synchronizes all lines, and the file's name, to disk.
  /// @throws InvalidFile if the system cannot
  void synchronize() const;

 private:
  std::filesystem::path path_;
  AppendedFile file_;
};

}  // namespace zeroth::cli
