// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace zeroth {

/// Why a step left the weights as they were.
enum class SkipReason : std::uint8_t {
  none,                    ///< it did not
  non_finite_loss,         ///< a loss was infinite or NaN
  non_finite_coefficient,  ///< learning rate times projected gradient does not fit an f32
};

[[nodiscard]] constexpr std::string_view to_string(SkipReason reason) noexcept {
  switch (reason) {
    case SkipReason::none:
      return "none";
    case SkipReason::non_finite_loss:
      return "non-finite loss";
    case SkipReason::non_finite_coefficient:
      return "non-finite coefficient";
  }
  return "unknown";
}

/// What a step did.
struct StepReport {
  std::uint64_t step = 0;                   ///< counted from 0
  double loss = 0;                          ///< mean of `losses`
  std::vector<double> losses;               ///< one a point, mean over micro-batches: [base,] then by sample and sign
  double projected_gradient = 0;            ///< mean of `projected_gradients`
  std::vector<double> projected_gradients;  ///< one a sample, after clipping
  double learning_rate = 0;                 ///< the schedule's at this step
  std::vector<float> coefficients;          ///< of each sample's noise, as applied; empty if skipped
  std::uint64_t active_weights = 0;         ///< how many weights the update touched; 0 if skipped
  bool clipped = false;
  SkipReason skip_reason = SkipReason::none;

  [[nodiscard]] bool skipped() const noexcept { return skip_reason != SkipReason::none; }
};

}  // namespace zeroth
