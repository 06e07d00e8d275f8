// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include <zeroth/model/scoring.hpp>

#include "language_model.hpp"

namespace zeroth::cli {

/// How well a model does on examples.
struct EvaluationResult {
  double accuracy = 0;
  double loss = 0;                          ///< mean cross-entropy of the right candidate
  std::vector<std::size_t> predictions;     ///< one an example
  std::vector<std::vector<double>> scores;  ///< of each example's candidates: mean log-probability of their tokens
};

/// Evaluates the model as it stands.
/// @param go_on called between batches with the number of examples done; if it returns false the evaluation is given up
///   and there is no result
[[nodiscard]] std::optional<EvaluationResult> evaluate(model::AnyDecoder& decoder,
                                                       std::span<model::Example const> examples,
                                                       std::function<bool(std::size_t)> const& go_on);

}  // namespace zeroth::cli
