// SPDX-License-Identifier: MIT
// A step whose losses come from elsewhere, or that an engine takes loss by loss, has the bits of step().
#include <zeroth/optimizer.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/backend/reference.hpp>
#include <zeroth/estimator/fzoo.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/mask/random_mask.hpp>
#include <zeroth/update/adam.hpp>
#include <zeroth/update/momentum.hpp>
#include <zeroth/update/sign_sgd.hpp>
#include <zeroth/update/window_momentum.hpp>

#include "catch.hpp"
#include "objectives.hpp"
#include "tensors.hpp"

namespace {

using zeroth::Acceptance;
using zeroth::CpuBackend;
using zeroth::Evaluation;
using zeroth::Gaussian;
using zeroth::Options;
using zeroth::ParameterSet;
using zeroth::Restore;
using zeroth::SkipReason;
using zeroth::SmallestMagnitude;
using zeroth::StepLosses;
using zeroth::StepPlan;
using zeroth::StepRecord;
using zeroth::StepReport;
using zeroth::ZerothOrderOptimizer;
using zeroth_test::contains_text;

struct Fixture {
  zeroth_test::Tensors tensors;
  Fixture() {
    tensors.add("a.w", zeroth_test::normal_weights(201, 1));
    tensors.add("a.norm", zeroth::Role::vector, zeroth_test::normal_weights(9, 2, 1.0F));
    tensors.add("b.w", zeroth_test::normal_weights(330, 3));
  }
  [[nodiscard]] ParameterSet const& parameters() const { return tensors.parameters; }
  [[nodiscard]] std::vector<std::uint32_t> bits() const { return zeroth_test::bits(tensors.all()); }
};

constexpr std::uint64_t steps = 12;
constexpr std::uint64_t skipped_step = 5;

/// Another function on each micro-batch, and infinite at one step.
double loss(std::span<float const> theta, std::uint64_t step, std::uint32_t micro_batch) {
  if (step == skipped_step) return std::numeric_limits<double>::infinity();
  return zeroth_test::loss(theta) * (1 + 0.25 * micro_batch);
}

/// step() with a fused objective.
template <class Optimizer>
std::optional<StepReport> whole_step(Optimizer& optimizer, Fixture const& fixture) {
  return optimizer.step([&](auto const& probe, std::span<double> losses) {
    auto const lanes = zeroth_test::lanes_of(probe, fixture.parameters());
    for (std::size_t k = 0; k < losses.size(); ++k) losses[k] = loss(lanes[k], probe.step(), probe.micro_batch());
  });
}

/// The last points first, two threads at a time, each with probes of its own.
template <class Optimizer>
std::optional<StepReport> told_step(Optimizer& optimizer, Fixture const& fixture) {
  StepLosses losses(optimizer.ask());
  StepPlan const plan = losses.plan();
  CHECK(optimizer.ask() == plan);
  auto evaluate = [&](std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t batch = plan.micro_batches; batch-- > 0;) {
      auto const probe = optimizer.probe(plan, first, count, batch);
      auto const lanes = zeroth_test::lanes_of(probe, fixture.parameters());
      for (std::uint32_t k = 0; k < count; ++k) losses.set(first + k, batch, loss(lanes[k], plan.step, batch));
    }
  };
  std::uint32_t const half = plan.points / 2;
  std::thread other([&] { evaluate(half, plan.points - half); });
  if (half != 0) evaluate(0, half);
  other.join();
  return optimizer.tell(losses);
}

/// Loss by loss, where the weights lie.
template <class Optimizer>
std::optional<StepReport> opened_step(Optimizer& optimizer, Fixture const& fixture) {
  auto step = optimizer.begin_step();
  while (auto const evaluation = step.next()) {
    CHECK(evaluation->step == optimizer.steps());
    step.tell(loss(zeroth_test::weights_of(fixture.parameters()), evaluation->step, evaluation->micro_batch));
  }
  return step.finish();
}

/// step() with an objective in place.
template <class Optimizer>
std::optional<StepReport> whole_step_in_place(Optimizer& optimizer, Fixture const& fixture) {
  return optimizer.step([&](Evaluation const& evaluation) {
    return loss(zeroth_test::weights_of(fixture.parameters()), evaluation.step, evaluation.micro_batch);
  });
}

struct Run {
  std::vector<StepRecord> records;
  std::vector<std::vector<double>> losses;
  std::vector<std::uint32_t> bits;
  bool operator==(Run const&) const = default;
};

template <class M, class U, class E, class Step>
Run run(M mask, U update, E estimator, Options const& options, Step const& take) {
  Fixture fixture;
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, mask, CpuBackend{}, update, estimator, options);
  Run result;
  while (optimizer.steps() < steps) {
    std::optional<StepReport> const report = take(optimizer, fixture);
    if (!report) continue;
    result.records.push_back(*report);
    result.losses.push_back(report->losses);
  }
  CHECK(result.records[skipped_step].skip_reason == SkipReason::non_finite_loss);
  result.bits = fixture.bits();
  return result;
}

template <class M, class U, class E>
void check(M mask, U update, E estimator, Options options) {
  INFO(std::string(update.name()) << ", " << std::string(estimator.name()));
  options.learning_rate = 1e-3;
  options.micro_batches = 2;
  auto with = [&](auto const& take) { return run(mask, update, estimator, options, take); };
  auto const whole = [](auto& optimizer, Fixture const& fixture) { return whole_step(optimizer, fixture); };
  Run const expected = with(whole);
  CHECK(expected.bits != Fixture().bits());
  CHECK(with([](auto& optimizer, Fixture const& fixture) { return told_step(optimizer, fixture); }) == expected);
  auto const opened = [](auto& optimizer, Fixture const& fixture) { return opened_step(optimizer, fixture); };
  options.restore = Restore::exact;
  CHECK(with(opened) == expected);
  if (options.acceptance != Acceptance::always) return;
  options.restore = Restore::arithmetic;
  auto const in_place = [](auto& optimizer, Fixture const& fixture) { return whole_step_in_place(optimizer, fixture); };
  CHECK(with(opened) == with(in_place));
}

}  // namespace

TEST_CASE("a step that is asked for and told, and one that is taken loss by loss, have the bits of step()") {
  SmallestMagnitude const mask{0.5};
  Options const two{.samples = 2};
  check(mask, zeroth::Sgd{0.01}, zeroth::CentralDifference{}, two);
  check(mask, zeroth::Sgd{}, zeroth::OneSided{}, two);
  check(mask, zeroth::Sgd{}, zeroth::Fzoo{}, {.samples = 4, .samples_per_probe = 3});
  check(mask, zeroth::SignSgd{}, zeroth::CentralDifference{}, two);
  check(mask, zeroth::Momentum{}, zeroth::CentralDifference{}, two);
  check(mask, zeroth::Adam{}, zeroth::CentralDifference{}, two);
  check(zeroth::RandomMask{0.5}, zeroth::WindowMomentum{}, zeroth::CentralDifference{}, two);
  check(mask, zeroth::Sgd{}, zeroth::CentralDifference{}, {.acceptance = Acceptance::lowest_of_three});
}

namespace {

struct Asked {
  Fixture fixture;
  ZerothOrderOptimizer<Gaussian, SmallestMagnitude, CpuBackend> optimizer{
      fixture.parameters(),
      Gaussian{},
      SmallestMagnitude{0.5},
      CpuBackend{},
      {.learning_rate = 1e-3, .micro_batches = 2, .restore = Restore::exact}};
};

StepLosses all(StepPlan const& plan) {
  StepLosses losses(plan);
  for (std::uint32_t k = 0; k < plan.points; ++k)
    for (std::uint32_t batch = 0; batch < plan.micro_batches; ++batch) losses.set(k, batch, 1.0 + k);
  return losses;
}

}  // namespace

TEST_CASE("losses that are told twice, partly or late are rejected by name, and nothing is changed") {
  Asked asked;
  auto& optimizer = asked.optimizer;
  std::vector<std::uint32_t> const before = asked.fixture.bits();
  StepPlan const plan = optimizer.ask();
  CHECK(plan == StepPlan{0, 2, 2, false});

  StepLosses losses(plan);
  losses.set(0, 0, 1);
  CHECK_THROWS_WITH(losses.set(0, 0, 1), contains_text("losses of step 0: point 0, micro-batch 0: expected one loss"));
  CHECK_THROWS_WITH(losses.set(2, 0, 1), contains_text("point 2, micro-batch 0: expected one of 2 points"));
  CHECK_THROWS_WITH(losses.set(0, 2, 1), contains_text("point 0, micro-batch 2: expected one of 2 points"));
  losses.set(1, 0, 1);
  losses.set(1, 1, 1);
  CHECK_THROWS_WITH(optimizer.tell(losses), contains_text("point 0, micro-batch 1: expected a loss, found none"));
  CHECK_THROWS_WITH(optimizer.tell(all({1, 2, 2, false})),
                    contains_text("tell: expected the plan that is open since ask(), that of step 0 (2 points, 2 "
                                  "micro-batches), found that of step 1"));
  CHECK_THROWS_WITH(optimizer.tell(all({0, 4, 2, false})), contains_text("found that of step 0 (4 points"));
  CHECK_THROWS_WITH(optimizer.probe(plan, 1, 2), contains_text("probe: expected points and a micro-batch of a plan"));
  CHECK_THROWS_WITH(optimizer.probe(plan, 0, 1, 2), contains_text("micro-batch 2"));
  CHECK_THROWS_WITH(optimizer.step([] { return 1.0; }),
                    contains_text("step: expected a call between two steps, found step 0 open since ask()"));
  CHECK_THROWS_WITH(optimizer.replay({}), contains_text("replay: expected a call between two steps"));
  CHECK_THROWS_WITH(optimizer.begin_step(), contains_text("begin_step: expected a call between two steps"));
  CHECK(asked.fixture.bits() == before);

  losses.set(0, 1, 2);
  CHECK(optimizer.tell(losses));
  CHECK(asked.fixture.bits() != before);
  std::vector<std::uint32_t> const after = asked.fixture.bits();
  CHECK_THROWS_WITH(optimizer.tell(losses), contains_text("but there is none, found that of step 0"));
  CHECK_THROWS_WITH(optimizer.probe(plan, 0, 1), contains_text("probe: expected the plan that is open since ask()"));
  CHECK(optimizer.ask().step == 1);
  CHECK_THROWS_WITH(optimizer.tell(losses), contains_text("that of step 1 (2 points, 2 micro-batches), found that of"));
  optimizer.abandon();
  CHECK_THROWS_WITH(optimizer.tell(all({1, 2, 2, false})), contains_text("but there is none"));
  CHECK(asked.fixture.bits() == after);
  CHECK(optimizer.ask().step == 1);
  CHECK(optimizer.tell(all(optimizer.ask())));
  CHECK(optimizer.steps() == 2);
}

TEST_CASE("a step that is not finished in place is taken back") {
  Asked asked;
  auto& optimizer = asked.optimizer;
  std::vector<std::uint32_t> const before = asked.fixture.bits();
  {
    auto step = optimizer.begin_step();
    CHECK_THROWS_WITH(step.tell(1), contains_text("tell: expected next() before each loss"));
    std::optional<Evaluation> const first = step.next();
    REQUIRE(first);
    CHECK(first->point == zeroth::Point{0, +1});
    CHECK_THROWS_WITH(step.next(), contains_text("next: expected tell() after the last next()"));
    CHECK(asked.fixture.bits() != before);
    CHECK_THROWS_WITH(optimizer.ask(), contains_text("ask: expected a call between two steps"));
    CHECK_THROWS_WITH(optimizer.tell(all({0, 2, 2, false})), contains_text("but there is none"));
    optimizer.abandon();  // of another form
    step.tell(1);
    CHECK_THROWS_WITH(step.finish(), contains_text("finish: expected next() to have asked for every loss"));
  }
  CHECK(asked.fixture.bits() == before);
  CHECK(optimizer.steps() == 0);

  // abandon() is about ask() only.
  CHECK_THROWS_WITH(optimizer.step([&]() -> double {
    optimizer.abandon();
    throw std::runtime_error("from the objective");
  }),
                    "from the objective");
  CHECK(asked.fixture.bits() == before);

  auto step = optimizer.begin_step();
  while (step.next()) step.tell(1);
  CHECK_FALSE(step.next());
  CHECK_FALSE(step.finish().skipped());
  CHECK_THROWS_WITH(step.next(), contains_text("next: expected a step that is not finished"));
  CHECK(optimizer.steps() == 1);
}

TEST_CASE("a report says when an engine does not see the weights") {
  Asked asked;
  CHECK(asked.optimizer.step([] { return 2.0; }).losses_are_equal());
  CHECK_FALSE(asked.optimizer.step([k = 0]() mutable { return 1.0 + k++; }).losses_are_equal());
  CHECK_FALSE(asked.optimizer.step([] { return std::nan(""); }).losses_are_equal());
  CHECK_FALSE(StepReport{}.losses_are_equal());
}

TEST_CASE("attempts that arithmetic put back are counted only where the weights were moved") {
  Fixture fixture;
  Options const options{.learning_rate = 1e-3, .restore = Restore::arithmetic};
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, SmallestMagnitude{0.5}, CpuBackend{}, options);
  { auto const untouched = optimizer.begin_step(); }
  {
    auto step = optimizer.begin_step();
    CHECK(step.next());
  }
  auto step = optimizer.begin_step();
  while (step.next()) step.tell(zeroth_test::loss(zeroth_test::weights_of(fixture.parameters())));
  StepReport const report = step.finish();
  CHECK(report.abandoned == 1);

  Fixture again;
  ZerothOrderOptimizer replayed(again.parameters(), Gaussian{}, SmallestMagnitude{0.5}, zeroth::ReferenceBackend{},
                                options);
  replayed.replay(report);
  CHECK(again.bits() == fixture.bits());
}
