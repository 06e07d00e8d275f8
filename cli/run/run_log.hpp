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

/// What a run writes as it goes: journal, from which the run can go on, and metrics.jsonl, for people. Each line of the
/// metrics belongs to a record of the journal and is written before it. The journal decides: whatever has become of the
/// metrics, they are made again to fit it, and no record is given up for them.
class RunLog {
 public:
  /// Begins both files, or goes on with them. A damaged journal is cut at its first bad record and keeps the rest in a
  /// file next to it, see JournalFile. Of the metrics, the lines that tell what a record does are kept, in the
  /// journal's order; where there is none, the record's own numbers make one, with null for what it has not.
  /// @param metric of the task
  /// @throws InvalidFile if the journal is of another run, or either file cannot be written
  RunLog(RunDirectory const& out, JournalHeader const& header, Metric const& metric);

  [[nodiscard]] Journal const& journal() const noexcept { return journal_.journal(); }

  /// The metrics of each entry that the journal had when it was opened.
  [[nodiscard]] std::vector<MetricsLine> const& found() const noexcept { return found_; }

  /// What was repaired when the files were opened, a line each.
  [[nodiscard]] std::vector<std::string> const& repairs() const noexcept { return repairs_; }

  /// @throws InvalidFile if either file cannot be written; as does the other.
  void write(StepReport const& report, StepMetrics const& metrics);
  void write(EvaluationMetrics const& metrics, EvaluationRecord const& record);

  /// Puts both files on disk, and their names.
  /// @throws InvalidFile if the system cannot
  void synchronize();

 private:
  JournalFile journal_;
  std::vector<std::string> repairs_;
  std::vector<MetricsLine> found_;
  MetricsFile metrics_;
};

/// An evaluation as the journal has it.
[[nodiscard]] EvaluationRecord record_of(EvaluationMetrics const& evaluation, Metric const& metric);

/// All of the task that steers steps or evaluation and is not in the encoded examples, as notes of a journal.
[[nodiscard]] std::vector<JournalField> task_notes(Task const& task);

/// The note of a journal about the order of its model's rows: that of GGUF, or of a Hugging Face folder.
[[nodiscard]] JournalField form_note(LanguageModel const& model);

}  // namespace zeroth::cli
