// SPDX-License-Identifier: MIT
// Updates that work weight by weight.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/update/adam.hpp>
#include <zeroth/update/momentum.hpp>
#include <zeroth/update/sign_sgd.hpp>

#include "catch.hpp"
#include "matrix_and_norm.hpp"
#include "objectives.hpp"
#include "tensors.hpp"

namespace {

using zeroth::Adam;
using zeroth::AdaMm;
using zeroth::Gaussian;
using zeroth::Momentum;
using zeroth::Options;
using zeroth::Restore;
using zeroth::SmallestMagnitude;
using zeroth::StepRecord;
using zeroth::ZerothOrderOptimizer;
using zeroth_test::bits;
using zeroth_test::contains_text;

/// The smallest type in the documentation.
struct SignOfMean {
  static constexpr std::size_t state_floats = 1;
  struct Rule {
    float step_size = 0;
    float operator()(float theta, float direction, std::span<float, 1> mean) const {
      mean[0] = std::fma(0.9F, mean[0], 0.1F * direction);
      return mean[0] > 0 ? theta - step_size : theta + step_size;
    }
  };
  Rule rule(float step_size, std::uint64_t) const { return {step_size}; }
  double decay(double) const { return 0; }
  void check() const {}
  static constexpr std::string_view name() { return "sign-of-mean"; }
  bool operator==(SignOfMean const&) const = default;
};

struct NoStateAtAll : Momentum {
  static constexpr std::size_t state_floats = 0;
  bool operator==(NoStateAtAll const&) const = default;
};
struct AnotherNumber : Momentum {
  static constexpr std::size_t state_floats = 2;
  bool operator==(AnotherNumber const&) const = default;
};

TEST_CASE("the concept ElementwiseUpdate accepts what it documents and nothing less") {
  STATIC_REQUIRE(zeroth::ElementwiseUpdate<Momentum>);
  STATIC_REQUIRE(zeroth::ElementwiseUpdate<Adam>);
  STATIC_REQUIRE(zeroth::ElementwiseUpdate<AdaMm>);
  STATIC_REQUIRE(zeroth::ElementwiseUpdate<SignOfMean>);
  STATIC_REQUIRE(zeroth::ElementwiseUpdate<zeroth::SignSgd>);
  STATIC_REQUIRE_FALSE(zeroth::ElementwiseUpdate<zeroth::Sgd>);
  STATIC_REQUIRE_FALSE(zeroth::ElementwiseUpdate<NoStateAtAll>);
  STATIC_REQUIRE_FALSE(zeroth::ElementwiseUpdate<AnotherNumber>);
  STATIC_REQUIRE_FALSE(zeroth::Update<Momentum>);
  STATIC_REQUIRE(zeroth::state_floats<zeroth::AdaMmRule> == 3);
  STATIC_REQUIRE(zeroth::state_floats<zeroth::SignRule> == 0);
  CHECK(Momentum::name() == "momentum");
  CHECK(Adam::name() == "adam");
  CHECK(AdaMm::name() == "adamm");
}

TEST_CASE("momentum is a sum that fades") {
  zeroth::MomentumRule const rule = Momentum{.beta = 0.5}.rule(0.25F, 1);
  zeroth::Array<float, 1> m = {8};
  CHECK(rule(2, 1, m) == 2 - 0.25F * 5);
  CHECK(m[0] == 5);
}

TEST_CASE("Adam is what its paper says, in doubles, within the roundings of f32") {
  double m = 0;
  double v = 0;
  double largest = 0;
  double theta[2] = {0.5, 0.5};
  float weight[2] = {0.5F, 0.5F};
  zeroth::Array<float, 2> state{};
  zeroth::Array<float, 3> state_mm{};
  for (std::uint64_t t = 1; t <= 200; ++t) {
    double const g = std::sin(static_cast<double>(t)) * (t % 7 == 0 ? 100 : 1);
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    largest = std::max(largest, v);
    double const n = static_cast<double>(t);
    theta[0] -= 0.01 * (m / (1 - std::pow(0.9, n))) / (std::sqrt(v / (1 - std::pow(0.999, n))) + 1e-8);
    theta[1] -= 0.01 * m / (std::sqrt(largest) + 1e-8);
    weight[0] = Adam{}.rule(0.01F, t)(weight[0], static_cast<float>(g), state);
    weight[1] = AdaMm{}.rule(0.01F, t)(weight[1], static_cast<float>(g), state_mm);
    for (int k = 0; k < 2; ++k) CHECK(std::abs(double{weight[k]} - theta[k]) < 1e-5);  // 200 roundings of about 2^-24
    CHECK(double{state_mm[2]} == Approx(largest).epsilon(1e-4));
  }
}

TEST_CASE("powers are exact products") {
  CHECK(zeroth::detail::power(0.5, 0) == 1);
  CHECK(zeroth::detail::power(0.5, 11) == 0x1p-11);
  CHECK(zeroth::detail::power(3, 20) == 3486784401.0);
  CHECK(zeroth::detail::power(0.9, 1000) == Approx(std::pow(0.9, 1000)).epsilon(1e-12));
}

TEST_CASE("a field out of range is rejected by name") {
  double const nan = std::numeric_limits<double>::quiet_NaN();
  for (double beta : {-0.1, 1.0, nan}) {
    CHECK_THROWS_WITH(Momentum{.beta = beta}.check(), contains_text("beta must be in [0, 1), got "));
    CHECK_THROWS_WITH(Adam{.beta_1 = beta}.check(), contains_text("beta_1 must be in [0, 1), got "));
    CHECK_THROWS_WITH((AdaMm{{.beta_2 = beta}}.check()), contains_text("beta_2 must be in [0, 1), got "));
  }
  CHECK_THROWS_WITH(Momentum{.weight_decay = 2}.check(), contains_text("weight_decay must be in [0, 1], got 2"));
  CHECK_THROWS_WITH(Adam{.epsilon = 0}.check(), contains_text("epsilon of Adam must be > 0, got 0"));
  CHECK_NOTHROW(Momentum{}.check());
  CHECK_NOTHROW(Adam{}.check());
  CHECK_NOTHROW(AdaMm{}.check());
}

using zeroth_test::loss;

using Fixture = zeroth_test::MatrixAndNorm;

Options options(Restore restore = Restore::exact) {
  return {.epsilon = 1e-3,
          .learning_rate = 1e-3,
          .schedule = zeroth::Schedule::linear(40),
          .samples = 2,
          .seed = 3,
          .restore = restore};
}

TEMPLATE_TEST_CASE("the first step of an update with state is its rule on the estimate of the gradient", "", Momentum,
                   Adam, AdaMm, SignOfMean) {
  Fixture fixture;
  std::vector<float> const before = fixture.tensors.all();
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, zeroth::Dense{}, zeroth::CpuBackend{}, TestType{},
                                 options());
  auto const report = optimizer.step(zeroth_test::fused(fixture.parameters(), loss));
  REQUIRE(report.coefficients.size() == 2);
  for (std::size_t s = 0; s < 2; ++s)
    CHECK(report.coefficients[s] == static_cast<float>(report.projected_gradients[s] / 2));
  zeroth::NoiseField<Gaussian> const noise{{}, 3, 0};
  std::vector<float> expected;
  std::size_t at = 0;
  for (zeroth::Parameter const& p : fixture.parameters())
    for (std::uint64_t i = 0; i < p.size(); ++i, ++at) {
      float direction = 0;
      for (std::uint32_t s = 0; s < 2; ++s)
        direction = std::fma(report.coefficients[s], noise.value(p.stream, s, i), direction);
      zeroth::Array<float, TestType::state_floats> state{};
      expected.push_back(TestType{}.rule(report.step_size, 1)(before[at], direction, state));
    }
  CHECK(fixture.bits() == bits(expected));
  CHECK(optimizer.bytes() == 4 * TestType::state_floats * fixture.parameters().weights());
}

/// The weights after each of 40 steps, of which step 5 is skipped; and their records.
struct Run {
  std::vector<std::vector<std::uint32_t>> weights;
  std::vector<StepRecord> records;
};

template <class B, class U>
Run run(B backend, U update, bool fused, Restore restore) {
  Fixture fixture;
  ZerothOrderOptimizer optimizer(fixture.parameters(), Gaussian{}, SmallestMagnitude{0.5}, backend, update,
                                 options(restore));
  auto measured = [&](std::span<float const> theta) {
    return optimizer.steps() == 5 ? std::numeric_limits<double>::infinity() : loss(theta);
  };
  Run result;
  for (int i = 0; i < 40; ++i) {
    result.records.push_back(fused ? optimizer.step(zeroth_test::fused(fixture.parameters(), measured))
                                   : optimizer.step(zeroth_test::in_place(fixture.parameters(), measured)));
    result.weights.push_back(fixture.bits());
  }
  return result;
}

TEMPLATE_TEST_CASE("an update with state has the same bits on each backend, in place, and replayed from any step on",
                   "", Momentum, Adam, AdaMm, SignOfMean) {
  TestType const update{};
  Run const expected = run(zeroth::ReferenceBackend{}, update, true, Restore::exact);
  CHECK(expected.weights[4] == expected.weights[5]);
  CHECK(expected.weights[5] != expected.weights[6]);
  CHECK(run(zeroth::ReferenceBackend{}, update, false, Restore::exact).weights == expected.weights);
  for (zeroth::InstructionSet set : zeroth::every_instruction_set)
    if (zeroth::is_supported(set)) {
      CHECK(run(zeroth::CpuBackend{{}, set}, update, true, Restore::exact).weights == expected.weights);
      CHECK(run(zeroth::CpuBackend{{}, set}, update, false, Restore::exact).weights == expected.weights);
    }
  for (bool fused : {true, false})
    for (Restore restore : {Restore::exact, Restore::arithmetic}) {
      Run const whole = run(zeroth::CpuBackend{}, update, fused, restore);
      for (std::size_t stop : {std::size_t{1}, std::size_t{6}, std::size_t{25}, std::size_t{40}}) {
        Fixture fixture;
        ZerothOrderOptimizer resumed(fixture.parameters(), Gaussian{}, SmallestMagnitude{0.5},
                                     zeroth::ReferenceBackend{}, update, options(restore));
        for (std::size_t i = 0; i < stop; ++i) resumed.replay(whole.records[i]);
        CHECK(fixture.bits() == whole.weights[stop - 1]);
        while (resumed.steps() < 40) {
          if (fused)
            resumed.step(zeroth_test::fused(fixture.parameters(), loss));
          else
            resumed.step(zeroth_test::in_place(fixture.parameters(), loss));
          if (stop < 6) break;  // the step that was skipped is not skipped here
        }
        if (stop >= 6) CHECK(fixture.bits() == whole.weights.back());
      }
    }
}

/// Weight 0 is active at every step, the others only at odd ones.
struct Odd {
  struct Rule {
    [[maybe_unused]] static constexpr bool depends_on_weights = false;
    bool odd = false;
    bool operator()(float, std::uint64_t element) const { return element == 0 || odd; }
  };
  struct State {
    zeroth::TensorMask<Rule> tensor(std::size_t, std::uint32_t step) const {
      return {zeroth::Coverage::some, {step % 2 == 1}};
    }
  };
  State prepare(zeroth::ParameterSet const&, zeroth::WeightReader const&) const { return {}; }
  static constexpr std::string_view name() { return "odd"; }
  bool operator==(Odd const&) const = default;
};

TEST_CASE("weight and state of a weight that is not active stay") {
  zeroth_test::Tensors tensors;
  std::vector<float> const& w = tensors.add("w", {1.0F, 1.0F});
  ZerothOrderOptimizer optimizer(tensors.parameters, Gaussian{}, Odd{}, zeroth::CpuBackend{}, Momentum{.beta = 0.5},
                                 {.learning_rate = 0.01});
  float theta = 1;
  float m = 0;
  for (std::uint32_t step = 0; step < 10; ++step) {
    auto const report = optimizer.step(zeroth_test::fused(tensors.parameters, loss));
    zeroth::NoiseField<Gaussian> const noise{{}, 0, step};
    if (step % 2 == 1) {
      m = std::fma(0.5F, m, report.coefficients[0] * noise.value(zeroth::stream_of("w"), 0, 1));
      theta = std::fma(-report.step_size, m, theta);
    }
    CHECK(w[1] == theta);
  }
}

}  // namespace
