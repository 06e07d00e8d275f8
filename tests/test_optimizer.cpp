// SPDX-License-Identifier: MIT
#include <zeroth/optimizer.hpp>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/sampler/rademacher.hpp>
#include <zeroth/update/sign_sgd.hpp>

#include "catch.hpp"
#include "objectives.hpp"
#include "tensors.hpp"

#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#endif

namespace {

using zeroth::Dense;
using zeroth::Gaussian;
using zeroth::OneSided;
using zeroth::Options;
using zeroth::ParameterSet;
using zeroth::ReferenceBackend;
using zeroth::Restore;
using zeroth::Sgd;
using zeroth::SignSgd;
using zeroth::SkipReason;
using zeroth::SmallestMagnitude;
using zeroth::StepReport;
using zeroth::ZerothOrderOptimizer;
using zeroth_test::bits;
using zeroth_test::Tensors;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

/// Neither linear nor symmetric, so that each weight and each sign matters.
using zeroth_test::loss;

struct Fixture {
  Tensors tensors;
  Fixture() {
    tensors.add("w", zeroth_test::normal_weights(201, 1));
    tensors.add("norm", zeroth::Role::vector, zeroth_test::normal_weights(9, 2, 1.0F));
  }
  [[nodiscard]] ParameterSet const& parameters() const { return tensors.parameters; }
};

/// One step from the fixture's weights; the report and the weights after it.
template <class M, class U, class E, class MakeObjective>
std::pair<StepReport, std::vector<float>> one_step(M mask, U update, E estimator, Options options,
                                                   MakeObjective make_objective) {
  Fixture fixture;
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, mask, ReferenceBackend{}, update, estimator,
                                 options);
  StepReport const report = optimizer.step(make_objective(fixture.parameters()));
  return {report, fixture.tensors.all()};
}
auto const fused_loss = [](ParameterSet const& p) { return zeroth_test::fused(p, loss); };
auto const in_place_loss = [](ParameterSet const& p) { return zeroth_test::in_place(p, loss); };

TEST_CASE("an optimizer is made from values of its policies, in three forms") {
  Fixture fixture;
  ParameterSet const& p = fixture.parameters();
  ZerothOrderOptimizer shortest(p, Gaussian{}, Dense{}, ReferenceBackend{});
  STATIC_REQUIRE(
      std::is_same_v<decltype(shortest),
                     ZerothOrderOptimizer<Gaussian, Dense, ReferenceBackend, Sgd, zeroth::CentralDifference>>);
  ZerothOrderOptimizer with_options(p, Gaussian{}, Dense{}, ReferenceBackend{}, {.epsilon = 0.5, .samples = 2});
  CHECK(with_options.options().epsilon == 0.5);
  CHECK(with_options.points().size() == 4);
  ZerothOrderOptimizer with_update(p, Gaussian{}, Dense{}, ReferenceBackend{}, SignSgd{}, {.samples = 3});
  STATIC_REQUIRE(
      std::is_same_v<decltype(with_update), ZerothOrderOptimizer<Gaussian, Dense, ReferenceBackend, SignSgd>>);
  ZerothOrderOptimizer with_estimator(p, Gaussian{}, Dense{}, ReferenceBackend{}, Sgd{}, OneSided{}, {.samples = 3});
  CHECK(with_estimator.points().size() == 4);
  CHECK(with_estimator.points()[0] == zeroth::Point{0, 0});
}

struct FloatsOnly : ReferenceBackend {
  static constexpr bool supports(zeroth::DataType dtype) { return dtype == zeroth::DataType::f32; }
};

TEST_CASE("an optimizer rejects what it cannot run, by name") {
  using zeroth_test::contains_text;
  Fixture fixture;
  CHECK_THROWS_WITH(ZerothOrderOptimizer(ParameterSet{}, Gaussian{}, Dense{}, ReferenceBackend{}),
                    contains_text("no parameters to tune"));
  CHECK_THROWS_WITH(ZerothOrderOptimizer(fixture.parameters(), Gaussian{}, Dense{}, ReferenceBackend{}, {.epsilon = 0}),
                    contains_text("epsilon must be > 0"));
  CHECK_THROWS_WITH(ZerothOrderOptimizer(fixture.parameters(), Gaussian{}, Dense{}, ReferenceBackend{}, Sgd{-1}, {}),
                    contains_text("weight_decay must be in [0, 1]"));
  CHECK_THROWS_WITH(ZerothOrderOptimizer(fixture.parameters(), Gaussian{}, SmallestMagnitude{1}, ReferenceBackend{}),
                    contains_text("sparsity must be in [0, 1)"));
  std::vector<std::uint16_t> half(4);
  ParameterSet halves;
  halves.add({"half", zeroth::Role::matrix, {2, 2}, zeroth::DataType::bf16, half.data(), 1, 0});
  CHECK_THROWS_WITH(ZerothOrderOptimizer(halves, Gaussian{}, Dense{}, FloatsOnly{}),
                    contains_text("parameter 'half': backend 'reference' does not support bf16"));
}

TEST_CASE("a step reports what it did") {
  Options const options{.epsilon = 0.01, .learning_rate = 0.5, .schedule = zeroth::Schedule::linear(10), .samples = 2};
  Fixture fixture;
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{}, options);
  optimizer.step(zeroth_test::fused(fixture.parameters(), loss));
  StepReport const report = optimizer.step(zeroth_test::fused(fixture.parameters(), loss));
  CHECK(optimizer.steps() == 2);
  CHECK(report.step == 1);
  CHECK(report.learning_rate == Approx(0.45));
  REQUIRE(report.losses.size() == 4);
  REQUIRE(report.projected_gradients.size() == 2);
  REQUIRE(report.coefficients.size() == 2);
  double const epsilon = double{0.01F};
  CHECK(report.loss == Approx((report.losses[0] + report.losses[1] + report.losses[2] + report.losses[3]) / 4));
  for (std::size_t s = 0; s < 2; ++s) {
    CHECK(report.projected_gradients[s] == Approx((report.losses[2 * s] - report.losses[2 * s + 1]) / (2 * epsilon)));
    CHECK(report.coefficients[s] == static_cast<float>(-report.learning_rate * report.projected_gradients[s] / 2));
  }
  CHECK(report.projected_gradient == Approx((report.projected_gradients[0] + report.projected_gradients[1]) / 2));
  CHECK_FALSE(report.skipped());
  CHECK_FALSE(report.clipped);
}

TEST_CASE("a step touches only the active weights, and counts them") {
  Fixture fixture;
  std::vector<float> const before = fixture.tensors.all();
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{},
                                 {.learning_rate = 1e-3});
  zeroth::Bitmap const active = optimizer.active_bits(0);
  StepReport const report = optimizer.step(zeroth_test::fused(fixture.parameters(), loss));
  CHECK(report.active_weights == 101 + 9);
  std::vector<float> const after = fixture.tensors.all();
  std::size_t moved = 0;
  for (std::size_t i = 0; i < 201; ++i) {
    bool const same = zeroth::bits_of(after[i]) == zeroth::bits_of(before[i]);
    if (!active.rule()(0, i)) CHECK(same);
    moved += same ? 0U : 1U;
  }
  CHECK(moved > 95);  // a z near 0 may leave an active weight where it is
}

TEST_CASE("several samples a step are the mean of their estimates") {
  Options options{.epsilon = 0.01, .learning_rate = 0.5, .samples = 3, .seed = 4};
  auto const [report, after] = one_step(Dense{}, Sgd{}, zeroth::CentralDifference{}, options, fused_loss);
  Fixture fixture;
  std::vector<float> const before = fixture.tensors.all();
  zeroth::NoiseField<Gaussian> const noise{{}, 4, 0};
  std::size_t at = 0;
  for (zeroth::Parameter const& p : fixture.parameters())
    for (std::uint64_t i = 0; i < p.size(); ++i, ++at) {
      double mean = 0;
      for (std::uint32_t s = 0; s < 3; ++s)
        mean += report.projected_gradients[s] * double{noise.value(p.stream, s, i)} / 3;
      // Three roundings of a weight below 4: 3 * 2^-23, and as much again for the coefficients'.
      CHECK(std::abs(double{after[at]} - (double{before[at]} - 0.5 * mean)) < 6 * 0x1p-22);
    }
}

TEST_CASE("how many samples a probe takes at once changes no bit") {
  for (bool uses_base : {false, true}) {
    auto step = [&](std::uint32_t at_once) {
      Options const options{.epsilon = 0.01, .learning_rate = 0.5, .samples = 5, .samples_per_probe = at_once};
      return uses_base ? one_step(Dense{}, Sgd{}, OneSided{}, options, fused_loss)
                       : one_step(Dense{}, Sgd{}, zeroth::CentralDifference{}, options, fused_loss);
    };
    auto const [report, after] = step(1);
    for (std::uint32_t at_once : {2U, 3U, 5U, 100U}) {
      auto const [other_report, other_after] = step(at_once);
      CHECK(other_report.losses == report.losses);
      CHECK(bits(other_after) == bits(after));
    }
  }
}

TEST_CASE("a probe takes samples_per_probe samples, and the base with the first") {
  Fixture fixture;
  auto lanes_seen = [&](auto estimator) {
    ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, Dense{}, ReferenceBackend{}, Sgd{}, estimator,
                                   {.samples = 5, .samples_per_probe = 2});
    std::vector<std::size_t> counts;
    optimizer.step([&](auto const& probe, std::span<double>) { counts.push_back(probe.points().size()); });
    return counts;
  };
  CHECK(lanes_seen(zeroth::CentralDifference{}) == std::vector<std::size_t>{4, 4, 2});
  CHECK(lanes_seen(OneSided{}) == std::vector<std::size_t>{3, 2, 1});
}

TEST_CASE("micro-batches are averaged, and each is told which it is") {
  Fixture fixture;
  Options const options{.epsilon = 0.01, .learning_rate = 0, .micro_batches = 4};
  auto batch_loss = [](std::uint32_t micro_batch, std::span<float const> theta) {
    return micro_batch * loss(theta) + (micro_batch == 3 ? 6 : 0);
  };
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, Dense{}, ReferenceBackend{}, options);
  StepReport const fused = optimizer.step([&](auto const& probe, std::span<double> losses) {
    auto const lanes = zeroth_test::lanes_of(probe, fixture.parameters());
    for (std::size_t k = 0; k < lanes.size(); ++k) losses[k] = batch_loss(probe.micro_batch(), lanes[k]);
  });

  std::vector<zeroth::Evaluation> evaluations;
  ZerothOrderOptimizer in_place(fixture.parameters(), Gaussian{}, Dense{}, ReferenceBackend{}, options);
  StepReport const report = in_place.step([&](zeroth::Evaluation const& evaluation) {
    evaluations.push_back(evaluation);
    return batch_loss(evaluation.micro_batch, fixture.tensors.all());
  });
  REQUIRE(evaluations.size() == 8);
  for (std::uint32_t i = 0; i < 8; ++i) {
    CHECK(evaluations[i].step == 0);
    CHECK(evaluations[i].micro_batch == i % 4);
    CHECK(evaluations[i].point == zeroth::Point{0, i < 4 ? +1 : -1});
  }

  // The mean of 0, 1, 2 and 3 times the loss, and of a constant.
  Options const once{.epsilon = 0.01, .learning_rate = 0};
  auto const [one, unused] = one_step(Dense{}, Sgd{}, zeroth::CentralDifference{}, once, fused_loss);
  for (std::size_t k = 0; k < 2; ++k) {
    CHECK(fused.losses[k] == Approx(1.5 * (one.losses[k] + 1)));
    // Moved back and forth, a weight may be off by an ulp.
    CHECK(report.losses[k] == Approx(fused.losses[k]).epsilon(1e-6));
  }
}

TEST_CASE("a projected gradient is clipped to its bound, sign and all") {
  Options options{.epsilon = 0.01, .learning_rate = 1, .samples = 8};
  auto const free = one_step(Dense{}, Sgd{}, zeroth::CentralDifference{}, options, fused_loss).first;
  double const bound = 0.5 * std::abs(free.projected_gradients[0]);
  options.clip = bound;
  auto const clipped = one_step(Dense{}, Sgd{}, zeroth::CentralDifference{}, options, fused_loss).first;
  CHECK_FALSE(free.clipped);
  CHECK(clipped.clipped);
  for (std::size_t s = 0; s < 8; ++s)
    CHECK(clipped.projected_gradients[s] == std::min(bound, std::max(-bound, free.projected_gradients[s])));
  options.clip = 1e9;
  CHECK_FALSE(one_step(Dense{}, Sgd{}, zeroth::CentralDifference{}, options, fused_loss).first.clipped);
}

TEST_CASE("weight decay shrinks only active weights") {
  Fixture fixture;
  std::vector<float> const before = fixture.tensors.all();
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{},
                                 Sgd{0.25}, {.learning_rate = 0.5});
  zeroth::Bitmap const active = optimizer.active_bits(0);
  optimizer.step([](auto const&, std::span<double> losses) { losses[0] = losses[1] = 1; });  // g = 0
  std::vector<float> const after = fixture.tensors.all();
  for (std::size_t i = 0; i < 201; ++i) CHECK(after[i] == (active.rule()(0, i) ? before[i] * 0.875F : before[i]));
}

TEST_CASE("sign descent moves each active weight by the learning rate against the slope") {
  Fixture fixture;
  std::vector<float> const before = fixture.tensors.all();
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, Dense{}, ReferenceBackend{}, SignSgd{},
                                 {.learning_rate = 0.125, .seed = 3});
  StepReport const report = optimizer.step(zeroth_test::fused(fixture.parameters(), loss));
  zeroth::NoiseField<Gaussian> const noise{{}, 3, 0};
  std::vector<float> const after = fixture.tensors.all();
  for (std::size_t i = 0; i < 201; ++i) {
    double const slope = report.projected_gradient * double{noise.value(zeroth::stream_of("w"), 0, i)};
    CHECK(after[i] == (slope > 0 ? before[i] - 0.125F : before[i] + 0.125F));
  }
}

TEST_CASE("the noise of a step is of its seed and number, whatever came before") {
  auto weights_after = [](std::uint64_t seed, int skipped_steps) {
    Fixture fixture;
    ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, Dense{}, ReferenceBackend{},
                                   {.learning_rate = 1e-3, .seed = seed});
    for (int i = 0; i < skipped_steps; ++i)
      optimizer.step([](auto const&, std::span<double> losses) { losses[0] = not_a_number; });
    optimizer.step(zeroth_test::fused(fixture.parameters(), loss));
    return bits(fixture.tensors.all());
  };
  CHECK(weights_after(1, 0) == weights_after(1, 0));
  CHECK(weights_after(1, 0) != weights_after(2, 0));
  CHECK(weights_after(1, 0) != weights_after(1, 1));
}

TEST_CASE("a loss that is not finite at any point skips the step, which counts") {
  for (double bad : {not_a_number, infinity, -infinity})
    for (std::size_t lane = 0; lane < 5; ++lane) {
      Fixture fixture;
      std::vector<float> const before = fixture.tensors.all();
      ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, Dense{}, ReferenceBackend{}, Sgd{0.1},
                                     OneSided{}, {.learning_rate = 1, .samples = 4, .samples_per_probe = 2});
      std::size_t at = 0;
      StepReport const report = optimizer.step([&](auto const& probe, std::span<double> losses) {
        for (std::size_t k = 0; k < probe.points().size(); ++k) losses[k] = at++ == lane ? bad : 1;
      });
      CHECK(report.skip_reason == SkipReason::non_finite_loss);
      CHECK(report.active_weights == 0);
      CHECK(report.coefficients.empty());
      CHECK(bits(fixture.tensors.all()) == bits(before));
      CHECK(optimizer.steps() == 1);
      CHECK_FALSE(optimizer.step(zeroth_test::fused(fixture.parameters(), loss)).skipped());
    }
}

TEST_CASE("a coefficient that fits no f32 skips the step") {
  Fixture fixture;
  std::vector<float> const before = fixture.tensors.all();
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, Dense{}, ReferenceBackend{}, {.learning_rate = 1});
  StepReport const report = optimizer.step([](auto const&, std::span<double> losses) {
    losses[0] = 1e300;
    losses[1] = 0;
  });
  CHECK(report.skip_reason == SkipReason::non_finite_coefficient);
  CHECK(bits(fixture.tensors.all()) == bits(before));
  CHECK(to_string(report.skip_reason) == "non-finite coefficient");
}

TEST_CASE("an exception from a fused objective leaves weights and step count") {
  Fixture fixture;
  std::vector<float> const before = fixture.tensors.all();
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, Dense{}, ReferenceBackend{}, {.learning_rate = 1});
  CHECK_THROWS_WITH(
      optimizer.step([](auto const&, std::span<double>) { throw std::runtime_error("from the objective"); }),
      "from the objective");
  CHECK(bits(fixture.tensors.all()) == bits(before));
  CHECK(optimizer.steps() == 0);
  CHECK(optimizer.step(zeroth_test::fused(fixture.parameters(), loss)).step == 0);
  auto const uninterrupted =
      one_step(Dense{}, Sgd{}, zeroth::CentralDifference{}, Options{.learning_rate = 1}, fused_loss).second;
  CHECK(bits(fixture.tensors.all()) == bits(uninterrupted));
}

TEST_CASE("both forms of an objective take the same step") {
  Options const options{.epsilon = 0.01, .learning_rate = 0.1, .samples = 2, .restore = Restore::exact};
  auto const [fused_report, fused_after] =
      one_step(SmallestMagnitude{}, Sgd{}, zeroth::CentralDifference{}, options, fused_loss);
  auto const [report, after] =
      one_step(SmallestMagnitude{}, Sgd{}, zeroth::CentralDifference{}, options, in_place_loss);
  CHECK(report.losses == fused_report.losses);
  CHECK(bits(after) == bits(fused_after));
}

#ifdef PROT_READ
TEST_CASE("a fused evaluation writes no weight") {
  constexpr std::size_t count = 16384;
  std::size_t const size = count * sizeof(float);
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  std::span<float> const weights(static_cast<float*>(memory), count);
  std::vector<float> const initial = zeroth_test::normal_weights(count, 3);
  std::copy(initial.begin(), initial.end(), weights.begin());
  {
    ParameterSet parameters;
    parameters.add("w", zeroth::Role::matrix, {128, 128}, weights);
    ZerothOrderOptimizer optimizer(parameters, Gaussian{}, SmallestMagnitude{}, ReferenceBackend{},
                                   {.learning_rate = 0.01, .samples = 2});
    optimizer.step([&](auto const& probe, std::span<double> losses) {
      // Until the objective is done, a write would end the program.
      REQUIRE(::mprotect(memory, size, PROT_READ) == 0);
      auto const lanes = zeroth_test::lanes_of(probe, parameters);
      for (std::size_t k = 0; k < lanes.size(); ++k) losses[k] = loss(lanes[k]);
      CHECK(bits(weights) == bits(initial));
      REQUIRE(::mprotect(memory, size, PROT_READ | PROT_WRITE) == 0);
    });
    CHECK(bits(weights) != bits(initial));
  }
  ::munmap(memory, size);
}
#endif

}  // namespace
