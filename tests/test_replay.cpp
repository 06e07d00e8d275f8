// SPDX-License-Identifier: MIT
// A record of each step replays to the bits of the run, without a loss.
#include <zeroth/optimizer.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/backend/reference.hpp>
#include <zeroth/estimator/fzoo.hpp>
#include <zeroth/executor/thread_pool.hpp>
#include <zeroth/mask/combine.hpp>
#include <zeroth/mask/filter.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/mask/random_mask.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/sampler/rademacher.hpp>
#include <zeroth/sampler/uniform.hpp>

#include "catch.hpp"
#include "objectives.hpp"
#include "tensors.hpp"

namespace {

using zeroth::Arithmetic;
using zeroth::CpuBackend;
using zeroth::Gaussian;
using zeroth::Options;
using zeroth::ParameterSet;
using zeroth::ReferenceBackend;
using zeroth::Restore;
using zeroth::SkipReason;
using zeroth::SmallestMagnitude;
using zeroth::StepRecord;
using zeroth::ZerothOrderOptimizer;
using zeroth_test::bits;
using zeroth_test::contains_text;

using zeroth_test::loss;

struct Fixture {
  zeroth_test::Tensors tensors;
  Fixture() {
    tensors.add("blk.0.w", zeroth_test::normal_weights(201, 1));
    tensors.add("blk.0.norm", zeroth::Role::vector, zeroth_test::normal_weights(9, 2, 1.0F));
    tensors.add("blk.1.w", zeroth_test::normal_weights(330, 3));
  }
  [[nodiscard]] ParameterSet const& parameters() const { return tensors.parameters; }
  [[nodiscard]] std::vector<std::uint32_t> bits() const { return zeroth_test::bits(tensors.all()); }
};

enum class Form { fused, in_place };

constexpr int steps = 40;
constexpr int skipped_step = 7;     // the loss is infinite
constexpr int abandoned_step = 11;  // the objective throws, twice, then is called again

/// A run of 40 steps, one skipped and one abandoned twice: its records, and the weights after each step.
struct Run {
  std::vector<StepRecord> records;
  std::vector<std::vector<std::uint32_t>> weights;
};

template <class Optimizer>
Run run(Optimizer& optimizer, Fixture const& fixture, Form form) {
  Run result;
  int failures = 0;
  auto measured = [&](std::span<float const> theta) {
    auto const step = static_cast<int>(optimizer.steps());
    if (step == abandoned_step && failures < 2 && failures++ < 2) throw std::runtime_error("from the objective");
    return step == skipped_step ? std::numeric_limits<double>::infinity() : loss(theta);
  };
  while (optimizer.steps() < steps) {
    try {
      result.records.push_back(form == Form::fused
                                   ? optimizer.step(zeroth_test::fused(fixture.parameters(), measured))
                                   : optimizer.step(zeroth_test::in_place(fixture.parameters(), measured)));
      result.weights.push_back(fixture.bits());
    } catch (std::runtime_error const&) {
    }
  }
  return result;
}

template <class Optimizer>
void check_replay(Optimizer& optimizer, Fixture const& fixture, Run const& expected) {
  for (std::size_t i = 0; i < expected.records.size(); ++i) {
    optimizer.replay(expected.records[i]);
    INFO("step " << i);
    REQUIRE(fixture.bits() == expected.weights[i]);
  }
  CHECK(optimizer.steps() == expected.records.size());
}

/// Runs and replays with those policies in the given form; returns the run.
template <class S, class M, class U, class E>
Run check_policies(Form form, Restore restore, S sampler, M mask, U update, E estimator, std::uint32_t samples = 2,
                   double learning_rate = 1e-3, zeroth::Acceptance acceptance = zeroth::Acceptance::always) {
  Options const options{.epsilon = 1e-3,
                        .learning_rate = learning_rate,
                        .schedule = zeroth::Schedule::linear(steps),
                        .samples = samples,
                        .seed = 8,
                        .clip = 5,
                        .acceptance = acceptance,
                        .restore = restore};
  Fixture fixture;
  std::vector<std::uint32_t> const initial = fixture.bits();
  ZerothOrderOptimizer optimizer(fixture.parameters(), sampler, mask, CpuBackend{}, update, estimator, options);
  Run const expected = run(optimizer, fixture, form);
  CHECK(expected.weights.back() != initial);
  CHECK(expected.records[skipped_step].skip_reason == SkipReason::non_finite_loss);

  Fixture replayed;
  ZerothOrderOptimizer again(replayed.parameters(), sampler, mask, ReferenceBackend{}, update, estimator, options);
  check_replay(again, replayed, expected);
  return expected;
}

template <class M>
void check_mask(M mask) {
  INFO(std::string(mask.name()));
  zeroth::Sgd const update{0.01};
  zeroth::CentralDifference const estimator;
  Run const fused = check_policies(Form::fused, Restore::exact, Gaussian{}, mask, update, estimator);
  Run const exact = check_policies(Form::in_place, Restore::exact, Gaussian{}, mask, update, estimator);
  Run const arithmetic = check_policies(Form::in_place, Restore::arithmetic, Gaussian{}, mask, update, estimator);
  CHECK(fused.records == exact.records);
  CHECK(fused.weights != arithmetic.weights);
  CHECK(arithmetic.records[0].arithmetic == Arithmetic::in_place);
  CHECK(arithmetic.records[abandoned_step].abandoned == 2);
  CHECK(arithmetic.records[abandoned_step + 1].abandoned == 0);
  CHECK(exact.records[abandoned_step].abandoned == 0);
}

TEST_CASE("replay gives the bits of the run after each step, for each mask, fused and in place") {
  SmallestMagnitude const small{0.5};
  zeroth::RandomMask const random{0.5, 1};
  check_mask(zeroth::Dense{});
  check_mask(small);
  check_mask(SmallestMagnitude{.sparsity = 0.5, .scope = zeroth::Scope::global, .refresh_every = 3});
  check_mask(zeroth::LargestMagnitude{0.5});
  check_mask(zeroth::RandomMask{.sparsity = 0.5, .redraw_every = 10});
  check_mask(zeroth::StoredMask{{{"blk.0.w", {7, 7, 7, 7}}, {"blk.1.w", {1, 2, 3, 4, 5, 6}}}});
  check_mask(both(small, random));
  check_mask(zeroth::Filtered{small, zeroth::TensorFilter{.exclude = {"blk.0.*"}}});
}

TEST_CASE("replay gives the bits of the run for each sampler, update and estimator") {
  SmallestMagnitude const small{0.5};
  for (Restore restore : {Restore::exact, Restore::arithmetic})
    for (Form form : {Form::fused, Form::in_place}) {
      check_policies(form, restore, Gaussian{}, small, zeroth::SignSgd{0.01}, zeroth::CentralDifference{});
      check_policies(form, restore, zeroth::Rademacher{}, small, zeroth::Sgd{}, zeroth::CentralDifference{}, 1);
      check_policies(form, restore, zeroth::Uniform{}, small, zeroth::Sgd{}, zeroth::OneSided{}, 3);
    }
}

TEST_CASE("replay gives the bits of the run for steps that take the lowest of three") {
  SmallestMagnitude const small{0.5};
  for (Form form : {Form::fused, Form::in_place}) {
    constexpr auto lowest = zeroth::Acceptance::lowest_of_three;
    zeroth::Sgd const update{0.01};
    Run const expected =
        check_policies(form, Restore::exact, Gaussian{}, small, update, zeroth::CentralDifference{}, 1, 1e-2, lowest);
    check_policies(form, Restore::exact, zeroth::Rademacher{}, small, update, zeroth::Fzoo{}, 3, 1e-3, lowest);
    int rejected = 0;
    for (StepRecord const& record : expected.records) rejected += record.skip_reason == SkipReason::no_lower_loss;
    CHECK(rejected > 0);
    CHECK(rejected < steps);
  }
}

TEST_CASE("replay has the bits of the run on any number of threads") {
  Options const options{.learning_rate = 1e-3, .restore = Restore::arithmetic};
  for (Form form : {Form::fused, Form::in_place}) {
    Fixture fixture;
    ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, SmallestMagnitude{}, CpuBackend{}, options);
    Run const expected = run(optimizer, fixture, form);
    zeroth::ThreadPool threads(4);
    Fixture replayed;
    ZerothOrderOptimizer again(replayed.parameters(), Gaussian{}, SmallestMagnitude{}, CpuBackend{threads}, options);
    check_replay(again, replayed, expected);
  }
}

TEST_CASE("a run continues after a replay as if it had not been stopped") {
  Options const options{.learning_rate = 1e-3, .schedule = zeroth::Schedule::cosine(steps), .seed = 4};
  SmallestMagnitude const mask{.sparsity = 0.5, .refresh_every = 7};
  for (Form form : {Form::fused, Form::in_place}) {
    Fixture whole;
    ZerothOrderOptimizer optimizer(whole.parameters(), Gaussian{}, mask, CpuBackend{}, options);
    Run const expected = run(optimizer, whole, form);
    for (std::size_t stop : {std::size_t{1}, std::size_t{7}, std::size_t{8}, std::size_t{20}}) {
      Fixture stopped;
      ZerothOrderOptimizer resumed(stopped.parameters(), Gaussian{}, mask, CpuBackend{}, options);
      for (std::size_t i = 0; i < stop; ++i) resumed.replay(expected.records[i]);
      Run const rest = run(resumed, stopped, form);
      CHECK(rest.weights.back() == expected.weights.back());
      CHECK(bits(std::vector<float>(rest.records.back().coefficients)) ==
            bits(std::vector<float>(expected.records.back().coefficients)));
    }
  }
}

TEST_CASE("fused and in-place steps may take turns, and replay follows") {
  Options const options{.learning_rate = 1e-3, .restore = Restore::arithmetic};
  Fixture fixture;
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, SmallestMagnitude{}, CpuBackend{}, options);
  int failures = 0;
  auto failing = [&](std::span<float const> theta) {
    if (failures++ == 1) throw std::runtime_error("from the objective");
    return loss(theta);
  };
  Run expected;
  auto note = [&](StepRecord record) {
    expected.records.push_back(std::move(record));
    expected.weights.push_back(fixture.bits());
  };
  note(optimizer.step(zeroth_test::in_place(fixture.parameters(), loss)));
  note(optimizer.step(zeroth_test::fused(fixture.parameters(), loss)));
  CHECK_THROWS(optimizer.step(zeroth_test::in_place(fixture.parameters(), failing)));
  note(optimizer.step(zeroth_test::fused(fixture.parameters(), loss)));
  CHECK(expected.records.back().abandoned == 1);

  // Whatever the optimizer that replays would do itself.
  for (Restore restore : {Restore::arithmetic, Restore::exact}) {
    Fixture replayed;
    ZerothOrderOptimizer again(replayed.parameters(), Gaussian{}, SmallestMagnitude{}, ReferenceBackend{},
                               {.learning_rate = 1e-3, .restore = restore});
    check_replay(again, replayed, expected);
  }
}

TEST_CASE("a record that is not the next step's is rejected, and the weights stay") {
  Fixture fixture;
  std::vector<std::uint32_t> const before = fixture.bits();
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, SmallestMagnitude{}, ReferenceBackend{},
                                 {.samples = 2, .restore = Restore::exact});
  StepRecord good{.coefficients = {1e-3F, 2e-3F}, .active_weights = 1};
  auto refused = [&](auto change, std::string const& expected) {
    StepRecord record = good;
    change(record);
    CHECK_THROWS_WITH(optimizer.replay(record), contains_text(expected));
    CHECK(fixture.bits() == before);
    CHECK(optimizer.steps() == 0);
  };
  refused([](StepRecord& r) { r.step = 3; }, "replay of step 3: expected step 0, found 3");
  refused([](StepRecord& r) { r.coefficients.pop_back(); }, "replay of step 0: expected coefficients 2, found 1");
  refused([](StepRecord& r) { r.skip_reason = SkipReason::non_finite_loss; }, "expected coefficients 0, found 2");
  refused([](StepRecord& r) { r.step = std::uint64_t{1} << 32; }, "expected step 0, found 4294967296");
  refused([](StepRecord& r) { r.arithmetic = static_cast<Arithmetic>(2); },
          "replay of step 0: arithmetic must be one of the 2 choices of its enum, got number 2");
  refused([](StepRecord& r) { r.skip_reason = static_cast<SkipReason>(4); },
          "replay of step 0: skip_reason must be one of the 4 choices of its enum, got number 4");
  float const infinity = std::numeric_limits<float>::infinity();
  refused([&](StepRecord& r) { r.coefficients[1] = infinity; }, "expected coefficient finite, found inf");
  refused([](StepRecord& r) { r.decay = std::numeric_limits<float>::quiet_NaN(); }, "expected decay finite, found nan");
  refused([&](StepRecord& r) { r.step_size = -infinity; }, "expected step_size finite, found -inf");
  refused([](StepRecord& r) { r.active_weights = 541; }, "expected active_weights at most 540, found 541");
  refused(
      [](StepRecord& r) {
        r.skip_reason = SkipReason::non_finite_loss;
        r.coefficients.clear();
      },
      "expected active_weights at most 0, found 1");
}

TEST_CASE("a record that claims more abandoned attempts than a run makes is rejected before any is repeated") {
  Fixture fixture;
  std::vector<std::uint32_t> const before = fixture.bits();
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, SmallestMagnitude{}, ReferenceBackend{});
  for (std::uint32_t abandoned : {zeroth::max_abandoned + 1, 0xffffffffU}) {
    CHECK_THROWS_WITH(optimizer.replay({.skip_reason = SkipReason::non_finite_loss, .abandoned = abandoned}),
                      contains_text("expected abandoned at most 100, found " + std::to_string(abandoned)));
    CHECK(fixture.bits() == before);
  }
  CHECK_NOTHROW(optimizer.replay({.skip_reason = SkipReason::non_finite_loss, .abandoned = zeroth::max_abandoned}));
}

TEST_CASE("replay on other weights is noticed by the number that the mask picks") {
  Fixture fixture;
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{},
                                 {.learning_rate = 1e-3});
  StepRecord record = optimizer.step(zeroth_test::fused(fixture.parameters(), loss));
  ++record.active_weights;
  Fixture other;
  ZerothOrderOptimizer again(other.parameters(), Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{},
                             {.learning_rate = 1e-3});
  CHECK_THROWS_WITH(again.replay(record), contains_text("the weights are not those that the run had here"));
}

}  // namespace
