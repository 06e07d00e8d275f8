// SPDX-License-Identifier: MIT
#pragma once

#include <array>

#include <zeroth/backend/backend.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/float_environment.hpp>
#include <zeroth/probe.hpp>
#include <zeroth/step/decide.hpp>
#include <zeroth/step/updater.hpp>
#include <zeroth/step_report.hpp>

namespace zeroth::ZEROTH_ISA::detail {

/// Chooses the lowest of theta, the step and its reverse: see Acceptance::lowest_of_three.
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

/// Evaluates what a decided step and its reverse would leave, and chooses the lowest.
template <class Form, class Updater, class Objective>
void accept_lowest(StepReport& report, Form& form, Updater const& updater, Objective& objective) {
  std::array<Change, 2> candidates{updater.change_of(report), updater.change_of(report)};
  for (NoiseTerm& term : candidates[1].terms) term.coefficient = -term.coefficient;
  constexpr std::array<Point, 2> points{Point{0, +1, true}, Point{0, -1, true}};
  report.candidate_losses.assign(2, 0);
  form.evaluate(candidates, points, objective, report.candidate_losses);
  take_lowest(report);
}

}  // namespace zeroth::ZEROTH_ISA::detail
