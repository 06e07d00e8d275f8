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

/// The step that did best on the validation examples, see best_validation.
struct BestStep {
  EvaluationMetrics validation;
  EvaluationMetrics held_out;
};

/// What a run came to.
struct RunResult {
  std::optional<EvaluationMetrics> before;
  std::optional<EvaluationMetrics> after;  ///< the last evaluation on held-out examples
  std::optional<BestStep> best;            ///< so far; none without validation examples
  std::uint64_t steps = 0;                 ///< done, the skipped ones included
  std::uint64_t skipped_steps = 0;
  std::uint64_t tuned_weights = 0;    ///< of the model, or of its adapter
  std::uint64_t adapter_bytes = 0;    ///< 0 without one
  std::uint64_t active_weights = 0;   ///< updated, summed over the steps
  std::uint64_t optimizer_bytes = 0;  ///< that the optimizer holds beside the weights
  double step_seconds = 0;            ///< time that the timed steps took together
  std::uint64_t timed_steps = 0;      ///< whose time is known: not that of lines which metrics.jsonl has lost
  bool interrupted = false;
};

/// The step whose model is saved.
[[nodiscard]] std::uint64_t saved_step(FinetuneOptions const& options, RunResult const& result);

/// The model that is saved, on held-out examples.
[[nodiscard]] EvaluationMetrics const& evaluation_of_saved(FinetuneOptions const& options, RunResult const& result);

/// Writes summary.json. The options must be complete: no default left open.
/// @param split TaskData::split
/// @throws InvalidFile if it cannot be written.
void write_summary(std::filesystem::path const& path, FinetuneOptions const& options, Task const& task,
                   std::string const& split, LanguageModel const& model, RunExamples const& examples,
                   RunResult const& result);

}  // namespace zeroth::cli
