// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "commands/examples.hpp"
#include "language_model.hpp"
#include "metrics.hpp"
#include "options/options.hpp"
#include "tasks/task.hpp"

namespace zeroth::cli {

/// The step with the best result on the validation examples, see best_evaluation.
struct BestStep {
  EvaluationMetrics validation;
  EvaluationMetrics held_out;
};

/// The result of a run.
struct RunResult {
  std::optional<EvaluationMetrics> before;
  std::optional<EvaluationMetrics> after;  ///< the last evaluation on held-out examples
  std::optional<BestStep> best;            ///< so far; none without validation examples
  std::uint64_t steps = 0;                 ///< done, including skipped ones
  std::uint64_t skipped_steps = 0;
  std::uint64_t tuned_weights = 0;    ///< of the model, or of its adapter
  std::uint64_t adapter_bytes = 0;    ///< 0 without one
  std::uint64_t active_weights = 0;   ///< updated, summed over the steps
  std::uint64_t optimizer_bytes = 0;  ///< that the optimizer holds in addition to the weights
  double step_seconds = 0;            ///< total time of the timed steps
  std::uint64_t timed_steps = 0;      ///< whose time is known: lost lines of metrics.jsonl have none
  bool interrupted = false;
};

/// The step whose model is saved.
[[nodiscard]] std::uint64_t saved_step(FinetuneOptions const& options, RunResult const& result);

/// The evaluation of the saved model on held-out examples.
[[nodiscard]] EvaluationMetrics const& evaluation_of_saved(FinetuneOptions const& options, RunResult const& result);

/// Writes summary.json. The options must be complete, with all defaults filled in.
/// @param split TaskData::split
/// @throws InvalidFile if it cannot be written.
void write_summary(std::filesystem::path const& path, FinetuneOptions const& options, Task const& task,
                   std::string const& split, LanguageModel const& model, RunExamples const& examples,
                   RunResult const& result);

}  // namespace zeroth::cli
