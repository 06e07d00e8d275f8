// SPDX-License-Identifier: MIT
// Acceptance::lowest_of_three.
#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/backend/reference.hpp>
#include <zeroth/estimator/fzoo.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/options.hpp>
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth/update/adam.hpp>
#include <zeroth/update/sign_sgd.hpp>
#include <zeroth/update/window_momentum.hpp>

#include "catch.hpp"
#include "matrix_and_norm.hpp"
#include "objectives.hpp"
#include "tensors.hpp"

namespace {

using zeroth::Acceptance;
using zeroth::Gaussian;
using zeroth::Options;
using zeroth::Point;
using zeroth::ReferenceBackend;
using zeroth::Restore;
using zeroth::Sgd;
using zeroth::SkipReason;
using zeroth::SmallestMagnitude;
using zeroth::StepReport;
using zeroth::ZerothOrderOptimizer;
using zeroth_test::bits;

using zeroth_test::loss;

/// A user's update: a step of fixed length along the direction.
struct Normalized {
  double weight_decay = 0;
  void coefficients(std::span<double const> g, double learning_rate, std::span<float> c) const {
    float const length = static_cast<float>(learning_rate);
    for (std::size_t s = 0; s < g.size(); ++s) c[s] = g[s] < 0 ? length : -length;
  }
  double decay(double learning_rate) const { return learning_rate * weight_decay; }
  void check() const {}
  static constexpr std::string_view name() { return "normalized"; }
  bool operator==(Normalized const&) const = default;
};

Options options(double learning_rate, std::uint32_t samples = 1) {
  return {.epsilon = 1e-3,
          .learning_rate = learning_rate,
          .samples = samples,
          .seed = 3,
          .acceptance = Acceptance::lowest_of_three,
          .restore = Restore::exact};
}

using Fixture = zeroth_test::MatrixAndNorm;

TEST_CASE("an update whose result cannot be evaluated before it is written is rejected by name") {
  auto make = [](auto update, char const* name) {
    Fixture fixture;
    CHECK_THROWS_WITH(
        (ZerothOrderOptimizer(fixture.parameters(), Gaussian{}, zeroth::Dense{}, ReferenceBackend{}, update,
                              options(1e-3))),
        zeroth_test::contains_text(std::string("acceptance must be Acceptance::always for update '") + name + "'"));
  };
  make(zeroth::SignSgd{}, "sign-sgd");
  make(zeroth::Adam{}, "adam");
  make(zeroth::WindowMomentum{}, "window-momentum");
  Options wrong = options(1e-3);
  wrong.acceptance = static_cast<Acceptance>(2);
  CHECK_THROWS_WITH(wrong.check(), zeroth_test::contains_text("acceptance"));
}

/// Scripted losses by the kind of point.
struct Script {
  double base;
  double step;
  double reverse;

  [[nodiscard]] double operator()(Point const& lane) const {
    if (lane.is_candidate) return lane.sign > 0 ? step : reverse;
    return lane.sign == 0 ? base : base + lane.sign * 1e-3;
  }
};

template <class Optimizer>
StepReport follow(Optimizer& optimizer, Script const& script, bool fused) {
  if (!fused) return optimizer.step([&](zeroth::Evaluation const& evaluation) { return script(evaluation.point); });
  return optimizer.step([&](auto const& probe, std::span<double> losses) {
    for (std::size_t k = 0; k < losses.size(); ++k) losses[k] = script(probe.points()[k]);
  });
}

TEST_CASE("of theta, the step and its reverse the lowest is taken, and theta itself unless another is lower") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  struct Case {
    Script script;
    int taken;  // +1 the step, -1 its reverse, 0 neither
    SkipReason reason;
  };
  for (Case const& c : std::vector<Case>{{{1, 0.5, 2}, +1, SkipReason::none},
                                         {{1, 0.5, 0.6}, +1, SkipReason::none},
                                         {{1, 0.5, 0.5}, +1, SkipReason::none},
                                         {{1, 0.6, 0.5}, -1, SkipReason::none},
                                         {{1, 2, 0.5}, -1, SkipReason::none},
                                         {{1, 1, 0.5}, -1, SkipReason::none},
                                         {{1, 1, 1}, 0, SkipReason::no_lower_loss},
                                         {{1, 1.5, 2}, 0, SkipReason::no_lower_loss},
                                         {{1, 0.5, infinity}, 0, SkipReason::non_finite_loss},
                                         {{1, -infinity, 2}, 0, SkipReason::non_finite_loss},
                                         {{infinity, 0.5, 2}, 0, SkipReason::non_finite_loss}})
    for (bool fused : {true, false}) {
      INFO(c.script.base << " " << c.script.step << " " << c.script.reverse << (fused ? ", fused" : ", in place"));
      Fixture fixture;
      ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{},
                                     Sgd{}, options(0.01));
      std::vector<std::uint32_t> const before = fixture.bits();
      StepReport const report = follow(optimizer, c.script, fused);
      CHECK(report.skip_reason == c.reason);
      CHECK(optimizer.steps() == 1);
      CHECK(report.losses.size() == 3);
      if (c.taken == 0) {
        CHECK(fixture.bits() == before);
        CHECK(report.coefficients.empty());
        CHECK(report.active_weights == 0);
        continue;
      }
      CHECK(report.candidate_losses == std::vector<double>{c.script.step, c.script.reverse});
      REQUIRE(report.coefficients.size() == 1);
      CHECK(report.coefficients[0] == static_cast<float>(c.taken * -0.01 * report.projected_gradients[0]));
      CHECK(fixture.bits() != before);
    }
  CHECK(to_string(SkipReason::no_lower_loss) == "no lower loss");
}

/// Takes steps of which some overshoot: each must arrive at the bits of the candidate that was evaluated.
template <class B, class U, class E>
std::vector<std::uint32_t> after_steps(B backend, U update, E estimator, std::uint32_t samples, bool fused) {
  // The loss has curvature 2 along each of about 159 active weights: a step of Sgd along z overshoots from samples /
  // |z|^2 on, about half of the time for Gaussian directions. So does a step of fixed length near the minimum.
  double const learning_rate = std::is_same_v<U, Sgd> ? 1.05 * samples / 159.0 : 3e-2;
  Fixture fixture;
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, SmallestMagnitude{0.5}, backend, update, estimator,
                                 options(learning_rate, samples));
  int taken[3] = {0, 0, 0};
  double lowest = loss(fixture.tensors.all());
  for (int i = 0; i < 60; ++i) {
    std::vector<std::vector<float>> candidates;
    std::vector<std::uint32_t> const before = fixture.bits();
    StepReport report;
    if (fused)
      report = optimizer.step([&](auto const& probe, std::span<double> losses) {
        CHECK(fixture.bits() == before);
        auto const lanes = zeroth_test::lanes_of(probe, fixture.parameters());
        if (probe.points()[0].is_candidate) candidates = lanes;
        for (std::size_t k = 0; k < lanes.size(); ++k) losses[k] = loss(lanes[k]);
      });
    else
      report = optimizer.step([&](zeroth::Evaluation const& evaluation) {
        std::vector<float> const all = fixture.tensors.all();
        if (evaluation.point.is_candidate) candidates.push_back(all);
        return loss(all);
      });
    REQUIRE(candidates.size() == 2);
    std::size_t const chosen = report.skipped() ? 2 : report.candidate_losses[0] <= report.candidate_losses[1] ? 0 : 1;
    ++taken[chosen];
    CHECK(fixture.bits() == (chosen == 2 ? before : bits(candidates[chosen])));
    double const now = loss(fixture.tensors.all());
    CHECK((report.skipped() ? now == lowest : now < lowest));
    lowest = now;
  }
  CHECK(taken[0] > 0);
  CHECK(taken[2] > 0);
  return fixture.bits();
}

TEMPLATE_TEST_CASE("each step lands on the bits that were evaluated, so that the loss of a batch never rises", "", Sgd,
                   Normalized) {
  auto check = [](auto estimator, std::uint32_t samples) {
    TestType const update{0.01};
    std::vector<std::uint32_t> const expected = after_steps(ReferenceBackend{}, update, estimator, samples, true);
    CHECK(after_steps(ReferenceBackend{}, update, estimator, samples, false) == expected);
    for (zeroth::InstructionSet set : zeroth::every_instruction_set)
      if (zeroth::is_supported(set)) {
        zeroth::CpuBackend const backend{{}, set};
        CHECK(after_steps(backend, update, estimator, samples, true) == expected);
        CHECK(after_steps(backend, update, estimator, samples, false) == expected);
      }
  };
  check(zeroth::CentralDifference{}, 1);
  check(zeroth::CentralDifference{}, 3);
  check(zeroth::OneSided{}, 2);
}

TEST_CASE("candidates are evaluated on every micro-batch of the step") {
  auto first_step = [](std::uint32_t micro_batches) {
    Fixture fixture;
    Options o = options(1e-3);
    o.micro_batches = micro_batches;
    ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, zeroth::Dense{}, ReferenceBackend{}, Sgd{}, o);
    return optimizer.step([&](auto const& probe, std::span<double> losses) {
      auto const lanes = zeroth_test::lanes_of(probe, fixture.parameters());
      for (std::size_t k = 0; k < lanes.size(); ++k) losses[k] = probe.micro_batch() * loss(lanes[k]);
    });
  };
  Fixture fixture;
  StepReport const report = first_step(4);
  ZerothOrderOptimizer whole(fixture.parameters(), Gaussian{}, zeroth::Dense{}, ReferenceBackend{}, Sgd{},
                             options(1e-3));
  StepReport const expected =
      whole.step(zeroth_test::fused(fixture.parameters(), [](std::span<float const> t) { return 1.5 * loss(t); }));
  REQUIRE(report.candidate_losses.size() == 2);
  for (std::size_t k = 0; k < 2; ++k) CHECK(report.candidate_losses[k] == Approx(expected.candidate_losses[k]));
}

TEST_CASE("an exception while a candidate is evaluated leaves weights and step count") {
  for (bool fused : {true, false})
    for (int failing : {+1, -1}) {
      Fixture fixture;
      std::vector<std::uint32_t> const before = fixture.bits();
      ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{},
                                     Sgd{}, options(0.01));
      auto fail = [&](Point const& lane) -> double {
        if (lane.is_candidate && lane.sign == failing) throw std::runtime_error("from the objective");
        return 1 + lane.sign * 1e-3;
      };
      if (fused)
        CHECK_THROWS_WITH(optimizer.step([&](auto const& probe, std::span<double> losses) {
          for (std::size_t k = 0; k < losses.size(); ++k) losses[k] = fail(probe.points()[k]);
        }),
                          "from the objective");
      else
        CHECK_THROWS_WITH(optimizer.step([&](zeroth::Evaluation const& evaluation) { return fail(evaluation.point); }),
                          "from the objective");
      CHECK(fixture.bits() == before);
      CHECK(optimizer.steps() == 0);
      CHECK_FALSE(follow(optimizer, {1, 0.5, 2}, fused).skipped());
    }
}

TEST_CASE("in place without exact restore it is rejected, and the weights stay") {
  Fixture fixture;
  std::vector<std::uint32_t> const before = fixture.bits();
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{},
                                 {.acceptance = Acceptance::lowest_of_three, .restore = Restore::arithmetic});
  CHECK_THROWS_WITH(optimizer.step([] { return 1.0; }),
                    zeroth_test::contains_text("in place, Acceptance::lowest_of_three needs Restore::exact"));
  CHECK(fixture.bits() == before);
  CHECK_FALSE(follow(optimizer, {1, 0.5, 2}, true).skipped());
}

TEST_CASE("of 16-bit weights the candidates are what the update writes, with each way of rounding") {
  using zeroth::Rounding;
  for (zeroth::DataType dtype : {zeroth::DataType::bf16, zeroth::DataType::f16})
    for (Rounding rounding : {Rounding::nearest, Rounding::stochastic, Rounding::compensated, Rounding::extra_byte})
      for (bool fused : {true, false}) {
        INFO(std::string(to_string(dtype)) << ", " << std::string(to_string(rounding)) << (fused ? ", fused" : ""));
        std::vector<float> const initial = zeroth_test::normal_weights(300, 1);
        std::vector<std::uint16_t> memory;
        for (float w : initial) memory.push_back(narrow(dtype, w));
        zeroth::ParameterSet parameters;
        parameters.add({"w", zeroth::Role::matrix, {1, 300}, dtype, memory.data(), 1, 0});
        Options o = options(2e-3);
        o.rounding = rounding;
        zeroth::CpuBackend const backend;
        ZerothOrderOptimizer optimizer(parameters, Gaussian{}, SmallestMagnitude{0.5}, backend, Sgd{}, o);
        auto weights = [&] {
          std::vector<float> all(300);
          backend.read(parameters[0], 0, all);
          return all;
        };
        int steps = 0;
        for (int i = 0; i < 10; ++i) {
          std::vector<std::vector<float>> candidates;
          StepReport report;
          if (fused)
            report = optimizer.step([&](auto const& probe, std::span<double> losses) {
              auto const lanes = zeroth_test::lanes_of(probe, parameters);
              if (probe.points()[0].is_candidate) candidates = lanes;
              for (std::size_t k = 0; k < lanes.size(); ++k) losses[k] = loss(lanes[k]);
            });
          else
            report = optimizer.step([&](zeroth::Evaluation const& evaluation) {
              if (evaluation.point.is_candidate) candidates.push_back(weights());
              return loss(weights());
            });
          if (report.skipped()) continue;
          ++steps;
          CHECK(bits(weights()) == bits(candidates[report.candidate_losses[0] <= report.candidate_losses[1] ? 0 : 1]));
        }
        CHECK(steps > 0);
      }
}

}  // namespace
