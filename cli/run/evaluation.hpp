// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <zeroth_model/decoder/scoring.hpp>

#include "encoding.hpp"
#include "language_model.hpp"
#include "metrics.hpp"
#include "tasks/task.hpp"

namespace zeroth::cli {

/// How well a model does on a set of examples.
struct EvaluationResult {
  std::optional<double> accuracy;           ///< share of examples predicted right; none for a text
  double metric = 0;                        ///< the task's metric
  double loss = 0;                          ///< the same loss as in training: see model::Loss
  std::vector<std::size_t> predictions;     ///< one per example
  std::vector<std::vector<double>> scores;  ///< of each example's candidates, see model::CandidateScore
};

/// The labels of examples, a model's predictions, and which examples belong together.
struct Judged {
  std::span<std::size_t const> labels;
  std::span<std::size_t const> predictions;
  std::span<std::uint32_t const> groups;
};

/// Share of the examples whose prediction is the label.
[[nodiscard]] double accuracy(Judged const& judged);

/// 2 tp / (2 tp + fp + fn) of the candidate `positive`; 0 if it is neither a label nor a prediction.
[[nodiscard]] double f1(Judged const& judged, std::size_t positive);

/// Share of the groups in which every prediction is the label.
[[nodiscard]] double exact_match(Judged const& judged);

/// Evaluates the model in its current state.
/// @param may_continue called between batches with the number of examples done; if it returns false, the evaluation
///   stops without a result
[[nodiscard]] std::optional<EvaluationResult> evaluate(model::AnyDecoder& decoder, EncodedExamples const& examples,
                                                       Task const& task,
                                                       std::function<bool(std::size_t)> const& may_continue);

/// An evaluation for people: "accuracy 0.7500, loss 0.5123", after any other metric.
[[nodiscard]] std::string summary_of(EvaluationMetrics const& evaluation, Metric const& metric);

/// The same for two: "accuracy 0.5000 -> 0.7500, loss 0.9000 -> 0.5123".
[[nodiscard]] std::string summary_of(EvaluationMetrics const& before, EvaluationMetrics const& after,
                                     Metric const& metric);

}  // namespace zeroth::cli
