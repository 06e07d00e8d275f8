// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>

#include <zeroth/config.hpp>
#include <zeroth/step_report.hpp>

namespace zeroth::ZEROTH_ISA {

/// What a loop over steps calls; each function may be empty.
struct Callbacks {
  /// After each step: to print, or to append the report to a journal.
  std::function<void(StepReport const&)> step_taken{};
  /// After every `evaluate_every` steps, and after as many as are to be taken; gets the number of steps taken.
  std::function<void(std::uint64_t)> evaluation_due{};
  std::uint64_t evaluate_every = 100;  ///< 0: only at the end
  /// After each step, and its evaluation if one was due: whether this step is the last.
  std::function<bool()> should_stop{};
};

/// Takes steps until the optimizer has taken `steps` of them, earlier ones included: a run that is resumed ends where
/// an uninterrupted run ends. Returns how many it has taken then.
///
///     double best = infinity;
///     int worse = 0;
///     zeroth::run_steps(optimizer, loss, 10000,
///                 {.step_taken = [&](zeroth::StepReport const& report) { journal.append(report); },
///                  .evaluation_due = [&](std::uint64_t) { worse = improve(best, held_out_loss()) ? 0 : worse + 1; },
///                  .should_stop = [&] { return worse == 3; }});
///
/// @param objective see ZerothOrderOptimizer::step
/// @throws as `step` and the callbacks do
template <class Optimizer, class Objective>
std::uint64_t run_steps(Optimizer& optimizer, Objective&& objective, std::uint64_t steps,
                        Callbacks const& callbacks = {}) {
  for (bool stops = false; !stops && optimizer.steps() < steps;) {
    StepReport const report = optimizer.step(objective);
    if (callbacks.step_taken) callbacks.step_taken(report);
    std::uint64_t const taken = optimizer.steps();
    std::uint64_t const every = callbacks.evaluate_every;
    bool const is_due = taken == steps || (every != 0 && taken % every == 0);
    if (is_due && callbacks.evaluation_due) callbacks.evaluation_due(taken);
    stops = callbacks.should_stop && callbacks.should_stop();
  }
  return optimizer.steps();
}

}  // namespace zeroth::ZEROTH_ISA
