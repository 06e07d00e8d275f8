// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <zeroth/executor/thread_pool.hpp>
#include <zeroth/probe.hpp>
#include <zeroth/step_report.hpp>
#include <zeroth_model/decoder/any_decoder.hpp>
#include <zeroth_model/decoder/scoring.hpp>

#include "any_optimizer.hpp"
#include "commands/examples.hpp"
#include "language_model.hpp"
#include "metrics.hpp"
#include "options/options.hpp"
#include "progress.hpp"
#include "run_directory.hpp"
#include "run_log.hpp"
#include "summary.hpp"
#include "tasks/task.hpp"

namespace zeroth::cli {

/// One run: what all methods have in common, and the loop over the steps.
class FinetuneRun {
 public:
  /// Builds what the steps need, and writes nothing. All arguments are borrowed.
  /// @param options complete, with all defaults filled in
  /// @throws InvalidArgument if the options do not go together
  FinetuneRun(FinetuneOptions const& options, LanguageModel const& model, Task const& task, RunExamples const& examples,
              Progress& progress);

  /// Starts the run's log, or replays the steps that are in it. To be called once, before all else.
  /// @throws InvalidFile if the log belongs to another run, model or data
  void open(RunDirectory const& out);

  /// Evaluates before the first step, unless that was done already or steps were taken. Returns whether the run is to
  /// continue.
  bool evaluate_before();

  /// Takes the remaining steps, until an interrupt.
  void train();

  /// Evaluates after the last step, even after an interrupt, unless that was done already. An evaluation that only an
  /// interrupt caused is not logged, so that the log is that of a run without the interrupt.
  void evaluate_after();

  /// Synchronizes the log to disk.
  /// @throws InvalidFile if the system cannot
  void finish();

  [[nodiscard]] RunResult const& result() const noexcept { return result_; }

 private:
  [[nodiscard]] std::vector<JournalField> notes(LanguageModel const& model) const;
  [[nodiscard]] bool is_logged() const;
  void continue_log();
  void measure_losses(AnyProbe const& probe, std::span<double> losses);
  void record(StepReport const& report, double seconds);
  void count(StepRecord const& record, std::optional<double> seconds);
  [[nodiscard]] bool is_due() const;
  bool evaluate_now(bool interruptible);
  bool evaluate_on(EvaluationSet set, bool interruptible);
  void note(EvaluationMetrics const& evaluation, EvaluationRecord const& record);

  FinetuneOptions const& options_;
  Task const& task_;
  RunExamples const& examples_;
  LanguageModel const& model_;
  ThreadPool executor_;
  model::AnyDecoder decoder_;
  model::CandidateScorer<model::AnyDecoder> scorer_;
  std::unique_ptr<AnyOptimizer> optimizer_;
  std::vector<model::Example> batch_;
  RunResult result_;
  JournalHeader header_;
  std::optional<RunLog> log_;  ///< after open()
  Progress& progress_;
  std::optional<EvaluationRecord> best_;                                      ///< of the validations so far
  std::array<std::optional<std::uint64_t>, evaluation_sets> evaluated_step_;  ///< of each EvaluationSet
};

}  // namespace zeroth::cli
