// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <zeroth/journal_file.hpp>
#include <zeroth/step_report.hpp>

#include "language_model.hpp"
#include "metrics.hpp"
#include "run_directory.hpp"
#include "tasks/task.hpp"

namespace zeroth::cli {

/// What a run writes as it goes: the journal, from which it can be resumed, and metrics.jsonl, for people. Each line of
/// the metrics belongs to a record of the journal and is written before it. The journal decides: whatever happened to
/// the metrics, they are rebuilt to fit it, and no record is given up for them.
class RunLog {
 public:
  /// Starts both files, or continues them. A damaged journal is cut at its first bad record, and the rest is kept in a
  /// file next to it, see JournalFile. Lines of the metrics that agree with a record are kept, in the journal's order;
  /// a missing line is rebuilt from the record, with null for what the record lacks.
  /// @param metric of the task
  /// @throws InvalidFile if the journal belongs to another run or has evaluations of another program, or either file
  /// cannot be written
  RunLog(RunDirectory const& out, JournalHeader const& header, Metric const& metric);

  [[nodiscard]] Journal const& journal() const noexcept { return journal_.journal(); }

  /// The metrics of each entry that the journal had when it was opened.
  [[nodiscard]] std::vector<MetricsLine> const& found() const noexcept { return found_; }

  /// What was repaired when the files were opened, one line each.
  [[nodiscard]] std::vector<std::string> const& repairs() const noexcept { return repairs_; }

  /// @throws InvalidFile if either file cannot be written.
  void write(StepReport const& report, StepMetrics const& metrics);
  void write(EvaluationMetrics const& metrics, EvaluationRecord const& record);

  /// Synchronizes both files, and their names, to disk.
  /// @throws InvalidFile if the system cannot
  void synchronize();

 private:
  JournalFile journal_;
  std::vector<std::string> repairs_;
  std::vector<MetricsLine> found_;
  MetricsFile metrics_;
};

/// An evaluation as a record of the journal.
[[nodiscard]] EvaluationRecord record_of(EvaluationMetrics const& evaluation, Metric const& metric);

/// What the task says about steps or evaluation beyond the encoded examples, as notes of a journal.
[[nodiscard]] std::vector<JournalField> task_notes(Task const& task);

/// The note of a journal about the order of its model's rows: that of GGUF or that of a Hugging Face folder.
[[nodiscard]] JournalField form_note(model::ModelSource const& source);

}  // namespace zeroth::cli
