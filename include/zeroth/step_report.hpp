// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include <zeroth/step_record.hpp>

namespace zeroth::ZEROTH_ISA {

/// What a step did, and the losses that decided it.
struct StepReport : StepRecord {
  std::vector<double> losses;            ///< one per point, mean over micro-batches: [base,] then by sample and sign;
                                         ///< NaN where the objective wrote none
  std::vector<double> candidate_losses;  ///< losses after the step and its reverse, see Acceptance
  double projected_gradient = 0;         ///< mean of `projected_gradients`
  std::vector<double> projected_gradients;  ///< one per sample, after clipping
  double learning_rate = 0;                 ///< the schedule's at this step
  bool clipped = false;

  /// Whether every point had the same loss: most likely the engine does not read the weights that are tuned.
  [[nodiscard]] bool losses_are_equal() const noexcept {
    for (double value : losses)
      if (!(value == losses.front())) return false;
    return losses.size() > 1;
  }
};

}  // namespace zeroth::ZEROTH_ISA
