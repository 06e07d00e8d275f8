// SPDX-License-Identifier: MIT
#include <zeroth/estimator/estimator.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/backend/reference.hpp>
#include <zeroth/estimator/any_estimator.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/rademacher.hpp>
#include <zeroth/sampler/uniform.hpp>

#include "catch.hpp"
#include "objectives.hpp"
#include "tensors.hpp"

namespace {

using zeroth::CentralDifference;
using zeroth::OneSided;

struct NoSigns : CentralDifference {
  static constexpr std::array<std::int32_t, 0> signs = {};
  bool operator==(NoSigns const&) const = default;
};

TEST_CASE("the concept Estimator accepts what it documents and nothing less") {
  STATIC_REQUIRE(zeroth::Estimator<CentralDifference>);
  STATIC_REQUIRE(zeroth::Estimator<OneSided>);
  STATIC_REQUIRE_FALSE(zeroth::Estimator<NoSigns>);
}

/// A user's estimator chosen at run time, so that the compiler knows neither its points nor its base.
struct Chosen {
  std::vector<std::int32_t> signs = {+1};
  bool uses_base = true;

  [[nodiscard]] double projected_gradient(double base, std::span<double const> losses, double epsilon) const {
    return uses_base ? (losses[0] - base) / epsilon : (losses[0] - losses[1]) / (2 * epsilon);
  }
  static constexpr std::string_view name() { return "chosen"; }
  bool operator==(Chosen const&) const = default;
};

TEST_CASE("an estimator may be chosen at run time") {
  auto weights_after = [](auto estimator) {
    zeroth_test::Tensors tensors;
    tensors.add("w", zeroth_test::normal_weights(200, 3));
    zeroth::ZerothOrderOptimizer optimizer(tensors.parameters, zeroth::Gaussian{}, zeroth::Dense{},
                                           zeroth::ReferenceBackend{}, zeroth::Sgd{}, estimator,
                                           {.learning_rate = 0.01, .samples = 2});
    optimizer.step(
        zeroth_test::fused(tensors.parameters, [](std::span<float const> t) { return double{t[0]} * t[1]; }));
    return zeroth_test::bits(tensors.all());
  };
  STATIC_REQUIRE(zeroth::Estimator<Chosen>);
  STATIC_REQUIRE(zeroth::Estimator<zeroth::AnyEstimator>);
  CHECK(weights_after(zeroth::AnyEstimator(OneSided{})) == weights_after(OneSided{}));
  CHECK(weights_after(zeroth::AnyEstimator()) == weights_after(CentralDifference{}));
  CHECK(weights_after(zeroth::AnyEstimator(zeroth::Fzoo{})) == weights_after(zeroth::Fzoo{}));
  CHECK(zeroth::AnyEstimator(zeroth::Fzoo{}).name() == "fzoo");
  CHECK(zeroth::least_samples_of(zeroth::AnyEstimator(zeroth::Fzoo{})) == 2);
  CHECK(zeroth::AnyEstimator(zeroth::Fzoo{}) != zeroth::AnyEstimator(OneSided{}));
  CHECK(weights_after(Chosen{}) == weights_after(OneSided{}));
  CHECK(weights_after(Chosen{{+1, -1}, false}) == weights_after(CentralDifference{}));
  CHECK_THROWS_WITH(weights_after(Chosen{{+1, 2}, false}),
                    "estimator 'chosen': its signs must be +1 or -1, at least one");
  CHECK_THROWS_WITH(weights_after(Chosen{{}, true}), "estimator 'chosen': its signs must be +1 or -1, at least one");
}

TEST_CASE("differences of losses become slopes") {
  std::vector<double> const two = {3.5, 3.0};
  CHECK(CentralDifference{}.projected_gradient(0, two, 0.25) == 1.0);
  std::vector<double> const one = {3.5};
  CHECK(OneSided{}.projected_gradient(3.0, one, 0.25) == 2.0);
}

/// L(theta) = b . theta + sum i theta_i^2 / 8, whose gradient at 0 is b.
constexpr std::array<double, 6> b = {1.0, -2.0, 0.5, 0.0, 3.0, -0.25};
double loss(std::span<float const> theta) {
  double sum = 0;
  for (std::size_t i = 0; i < b.size(); ++i)
    sum += b[i] * double{theta[i]} + static_cast<double>(i) * double{theta[i]} * double{theta[i]} / 8;
  return sum;
}

/// The mean of g z over 4096 samples at theta = 0: what one step with learning rate 1 subtracts.
template <class S, class E>
std::vector<double> mean_estimate(std::uint64_t seed) {
  zeroth_test::Tensors tensors;
  std::vector<float> const& theta = tensors.add("w", std::vector<float>(b.size(), 0.0F));
  zeroth::ZerothOrderOptimizer optimizer(
      tensors.parameters, S{}, zeroth::Dense{}, zeroth::ReferenceBackend{}, zeroth::Sgd{}, E{},
      {.epsilon = 1e-3, .learning_rate = 1, .samples = zeroth::max_samples, .seed = seed});
  optimizer.step(zeroth_test::fused(tensors.parameters, loss));
  std::vector<double> mean;
  for (float t : theta) mean.push_back(-double{t});
  return mean;
}

TEMPLATE_TEST_CASE("the mean of g z is the gradient, within its confidence interval", "",
                   (std::pair<zeroth::Gaussian, CentralDifference>), (std::pair<zeroth::Gaussian, OneSided>),
                   (std::pair<zeroth::Rademacher, CentralDifference>),
                   (std::pair<zeroth::Uniform, CentralDifference>)) {
  using S = typename TestType::first_type;
  using E = typename TestType::second_type;
  double norm_2 = 0;
  for (double slope : b) norm_2 += slope * slope;
  for (std::uint64_t seed : {1U, 2U, 3U}) {
    std::vector<double> const mean = mean_estimate<S, E>(seed);
    for (std::size_t i = 0; i < b.size(); ++i) {
      // Var(g z_i) = |b|^2 + (kurtosis - 2) b_i^2 <= |b|^2 + b_i^2. Of the 72 means here none should be 4.5 standard
      // errors off: at most 0.34, for a |b| of 3.8.
      double const standard_error = std::sqrt((norm_2 + b[i] * b[i]) / zeroth::max_samples);
      INFO("seed " << seed << ", weight " << i << ": " << mean[i] << ", want " << b[i]);
      // One-sided differences add the contribution of the curvature, about epsilon tr(H) |z|.
      CHECK(std::abs(mean[i] - b[i]) < 4.5 * standard_error + (E::uses_base ? 5e-3 : 0));
    }
  }
}

TEST_CASE("central differences are exact on a quadratic, one-sided ones are off by epsilon z H z / 2") {
  zeroth_test::Tensors tensors;
  tensors.add("w", std::vector<float>(b.size(), 0.0F));
  double const epsilon = 0.25;  // exact in binary, as the Rademacher directions are
  auto projected_gradient = [&](auto estimator) {
    zeroth::ZerothOrderOptimizer optimizer(tensors.parameters, zeroth::Rademacher{}, zeroth::Dense{},
                                           zeroth::ReferenceBackend{}, zeroth::Sgd{}, estimator,
                                           {.epsilon = epsilon, .learning_rate = 0});
    return optimizer.step(zeroth_test::fused(tensors.parameters, loss)).projected_gradient;
  };
  zeroth::NoiseField<zeroth::Rademacher> const noise{};
  double slope = 0;
  for (std::size_t i = 0; i < b.size(); ++i) slope += b[i] * double{noise.value(zeroth::stream_of("w"), 0, i)};
  double const curvature = (0 + 1 + 2 + 3 + 4 + 5) / 4.0;  // z H z: the trace of H, as each z_i^2 is 1
  CHECK(projected_gradient(CentralDifference{}) == slope);
  CHECK(projected_gradient(OneSided{}) == slope + epsilon * curvature / 2);
}

}  // namespace
