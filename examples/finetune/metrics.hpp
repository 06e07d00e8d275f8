// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <zeroth/journal/evaluation_record.hpp>

#include "output.hpp"

namespace zeroth::cli {

/// One step, as metrics.jsonl tells it. Losses that are not finite are written as null.
struct StepMetrics {
  std::uint64_t step = 0;            ///< counted from 1
  double loss = 0;                   ///< mean over all points
  std::optional<double> loss_base;   ///< at theta itself, if the estimator evaluates it
  std::optional<double> loss_plus;   ///< at theta + epsilon m z, mean over the samples
  std::optional<double> loss_minus;  ///< at theta - epsilon m z, mean over the samples, if there are such points
  double projected_gradient = 0;
  double learning_rate = 0;
  std::uint64_t active_weights = 0;
  double seconds = 0;
  std::string_view skipped;  ///< why the weights were not updated; empty: they were
};

/// What metrics.jsonl and `zeroth journal --json` call an evaluation on these examples.
[[nodiscard]] constexpr std::string_view type_of(EvaluationSet set) noexcept {
  return set == EvaluationSet::held_out ? "evaluation" : "validation";
}

/// One evaluation.
struct EvaluationMetrics {
  std::uint64_t step = 0;          ///< how many steps were done before
  std::optional<double> accuracy;  ///< none for a text
  double metric = 0;               ///< what the task is judged by
  double loss = 0;
  std::uint64_t examples = 0;
  EvaluationSet set = EvaluationSet::held_out;
};

/// Writes metrics.jsonl, a JSON object a line, as the run goes.
class MetricsFile {
 public:
  /// Starts the file anew.
  /// @throws InvalidFile if it cannot be made; as do both `write`s if it cannot be written.
  explicit MetricsFile(std::filesystem::path const& path) : file_(path) {}

  /// Goes on after the first `bytes` of the file; what follows them is cut off.
  MetricsFile(std::filesystem::path const& path, std::uint64_t bytes) : file_(path, bytes) {}

  void write(StepMetrics const& metrics);
  void write(EvaluationMetrics const& metrics);

 private:
  AppendedFile file_;
};

/// A line of metrics.jsonl that was read again. Of a step it has number, active weights and seconds alone.
struct MetricsLine {
  std::variant<StepMetrics, EvaluationMetrics> metrics;
  std::uint64_t end = 0;  ///< bytes of the file up to the line's end
};

/// Reads metrics.jsonl up to the first line that is not one of its own: the rest of a file that was torn.
/// @throws InvalidFile if the file cannot be read.
[[nodiscard]] std::vector<MetricsLine> read_metrics(std::filesystem::path const& path);

}  // namespace zeroth::cli
