// SPDX-License-Identifier: MIT
#include <zeroth/run_steps.hpp>

#include <cstdint>
#include <stdexcept>
#include <vector>

#include <zeroth/zeroth.hpp>

#include "catch.hpp"

namespace {

using zeroth::run_steps;
using zeroth::StepReport;
using Numbers = std::vector<std::uint64_t>;

/// An optimizer of one weight, and its loss.
struct Run {
  float weight = 1;
  zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, zeroth::CpuBackend> optimizer{
      parameters(), {}, {}, zeroth::CpuBackend{}};

  [[nodiscard]] zeroth::ParameterSet parameters() {
    zeroth::ParameterSet set;
    set.add("weight", zeroth::Role::matrix, {1, 1}, {&weight, 1});
    return set;
  }
  [[nodiscard]] auto loss() const {
    return [this] { return double{weight} * weight; };
  }
};

TEST_CASE("run_steps takes steps up to a number and says when evaluations are due") {
  Run run;
  Numbers taken;
  Numbers due;
  zeroth::Callbacks const callbacks{.step_taken = [&](StepReport const& report) { taken.push_back(report.step); },
                                    .evaluation_due = [&](std::uint64_t steps) { due.push_back(steps); },
                                    .evaluate_every = 2};
  CHECK(run_steps(run.optimizer, run.loss(), 5, callbacks) == 5);
  CHECK(taken == Numbers{0, 1, 2, 3, 4});
  CHECK(due == Numbers{2, 4, 5});
  // Resumed: the steps that were taken count.
  CHECK(run_steps(run.optimizer, run.loss(), 5, callbacks) == 5);
  CHECK(run_steps(run.optimizer, run.loss(), 6, callbacks) == 6);
  CHECK(taken == Numbers{0, 1, 2, 3, 4, 5});
  CHECK(due == Numbers{2, 4, 5, 6});
  CHECK(run_steps(run.optimizer, run.loss(), 8) == 8);
}

TEST_CASE("run_steps stops after the step for which it is told to, once that was evaluated") {
  Run run;
  Numbers due;
  zeroth::Callbacks callbacks{.evaluation_due = [&](std::uint64_t steps) { due.push_back(steps); },
                              .evaluate_every = 3,
                              .should_stop =
                                  [&] {
                                    return due == Numbers{3, 6};
                                  }};
  CHECK(run_steps(run.optimizer, run.loss(), 100, callbacks) == 6);
  callbacks = {.evaluation_due = callbacks.evaluation_due, .evaluate_every = 0};
  CHECK(run_steps(run.optimizer, run.loss(), 9, callbacks) == 9);
  CHECK(due == Numbers{3, 6, 9});
}

TEST_CASE("run_steps passes on what a callback or the objective throws") {
  Run run;
  zeroth::Callbacks const callbacks{.step_taken = [](StepReport const&) { throw std::runtime_error("full"); }};
  CHECK_THROWS_WITH(run_steps(run.optimizer, run.loss(), 4, callbacks), "full");
  CHECK(run.optimizer.steps() == 1);
  auto const fails = []() -> double { throw std::runtime_error("no loss"); };
  CHECK_THROWS_WITH(run_steps(run.optimizer, fails, 4), "no loss");
  CHECK(run.optimizer.steps() == 1);
}

}  // namespace
