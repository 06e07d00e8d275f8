// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <zeroth/journal_file.hpp>
#include <zeroth/step_report.hpp>

#include "language_model.hpp"
#include "metrics.hpp"
#include "run_directory.hpp"
#include "tasks/task.hpp"

namespace zeroth::cli {

/// What a run writes as it goes: metrics.jsonl, for people, and journal, from which the run can go on. Each line of the
/// metrics belongs to a record of the journal and is written before it.
class RunLog {
 public:
  /// Begins both files. If the folder has a journal, they go on where both have a line and its record; what follows in
  /// either is cut off.
  /// @throws InvalidFile if the journal is damaged or of another run, or the metrics are not of the same
  RunLog(RunDirectory const& out, JournalHeader const& header);

  [[nodiscard]] Journal const& journal() const noexcept { return journal_.journal(); }

  /// The metrics that were there, one for each entry that the journal had when it was opened.
  [[nodiscard]] std::vector<MetricsLine> const& found() const noexcept { return found_; }

  /// @throws InvalidFile if either file cannot be written; as does the other.
  void write(StepReport const& report, StepMetrics const& metrics);
  void write(EvaluationMetrics const& evaluation, Metric const& metric);

 private:
  [[nodiscard]] std::vector<MetricsLine> cut(RunDirectory const& out);

  JournalFile journal_;
  std::vector<MetricsLine> found_;
  MetricsFile metrics_;
};

/// The note of a journal about the order of its model's rows: that of GGUF, or of a Hugging Face folder.
[[nodiscard]] JournalField form_note(LanguageModel const& model);

}  // namespace zeroth::cli
