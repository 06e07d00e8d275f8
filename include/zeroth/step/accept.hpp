// SPDX-License-Identifier: MIT
#pragma once

#include <array>

#include <zeroth/backend/backend.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/probe.hpp>
#include <zeroth/step/decide.hpp>
#include <zeroth/step/updater.hpp>
#include <zeroth/step_report.hpp>

// Acceptance::lowest_of_three: the step ends at whichever of theta, the step and its reverse has the lowest loss.

namespace zeroth::ZEROTH_ISA::detail {

/// The points of the second plan: the weights after the step, and after its reverse.
inline constexpr std::array<Point, 2> candidate_points{Point{0, +1, true}, Point{0, -1, true}};

/// A decided step and its reverse.
template <class Updater>
[[nodiscard]] std::array<Change, 2> candidates_of(StepReport const& report, Updater const& updater) {
  std::array<Change, 2> candidates{updater.change_of(report), updater.change_of(report)};
  for (NoiseTerm& term : candidates[1].terms) term.coefficient = -term.coefficient;
  return candidates;
}

/// Chooses the lowest of the three.
/// @param report of a decided step, with the losses of both candidates
inline void take_lowest(StepReport& report) {
  DefaultFloatEnvironment const environment;
  if (!all_finite(report.candidate_losses)) return skip(report, SkipReason::non_finite_loss);
  double const base = report.losses[0];
  double const step = report.candidate_losses[0];
  double const reverse = report.candidate_losses[1];
  if (step < base && step <= reverse) return;
  if (reverse >= base) return skip(report, SkipReason::no_lower_loss);
  for (float& c : report.coefficients) c = -c;
}

}  // namespace zeroth::ZEROTH_ISA::detail
