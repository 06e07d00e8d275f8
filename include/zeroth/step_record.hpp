// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// Why a step left the weights as they were.
enum class SkipReason : std::uint8_t {
  none,                    ///< it did not: the weights were updated
  non_finite_loss,         ///< a loss was infinite or NaN
  non_finite_coefficient,  ///< learning rate times projected gradient does not fit an f32
  no_lower_loss,           ///< Acceptance::lowest_of_three, and neither the step nor its reverse has a lower loss
};
inline constexpr std::uint8_t skip_reasons = 4;  ///< number of values; journals store the numbers

[[nodiscard]] constexpr std::string_view to_string(SkipReason reason) noexcept {
  switch (reason) {
    case SkipReason::none:
      return "none";
    case SkipReason::non_finite_loss:
      return "non-finite loss";
    case SkipReason::non_finite_coefficient:
      return "non-finite coefficient";
    case SkipReason::no_lower_loss:
      return "no lower loss";
  }
  return "unknown";
}

/// Which roundings a step includes.
enum class Arithmetic : std::uint8_t {
  fused,     ///< only the update's: the fused form, and the in-place form with Restore::exact
  in_place,  ///< also those of perturbing and restoring the weights: Restore::arithmetic
};
inline constexpr std::uint8_t arithmetics = 2;  ///< number of values; journals store the numbers

[[nodiscard]] constexpr std::string_view to_string(Arithmetic arithmetic) noexcept {
  return arithmetic == Arithmetic::fused ? "fused" : "in place";
}

/// The most attempts at one step that may perturb the weights with Restore::arithmetic and end with an exception. A
/// replay repeats each of them, so a step allows no more, and a record that claims more is rejected.
inline constexpr std::uint32_t max_abandoned = 100;

/// What a step did, in the few numbers needed to apply it again: `ZerothOrderOptimizer::replay` applies them to the
/// same weights and gives the same bits, without a loss. The noise and the mask follow from the optimizer's own
/// settings.
struct StepRecord {
  std::uint64_t step = 0;  ///< counted from 0
  Arithmetic arithmetic = Arithmetic::fused;
  SkipReason skip_reason = SkipReason::none;
  std::uint32_t abandoned = 0;        ///< earlier attempts at this step that perturbed the weights with
                                      ///< Restore::arithmetic and ended with an exception from the objective;
                                      ///< at most max_abandoned
  float decay = 0;                    ///< share of itself that an active weight lost
  float step_size = 0;                ///< the learning rate, as f32
  std::vector<float> coefficients{};  ///< of each sample's noise in the direction that the update receives, see
                                      ///< Update; empty if skipped
  std::uint64_t active_weights = 0;   ///< how many weights the update touched; 0 if skipped
  double loss = 0;                    ///< mean over the points; for readers; replay ignores it

  [[nodiscard]] bool skipped() const noexcept { return skip_reason != SkipReason::none; }
  bool operator==(StepRecord const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA
