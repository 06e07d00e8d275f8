// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstdint>
#include <vector>

#include <zeroth/zeroth.hpp>

#include "catch.hpp"
#include "objectives.hpp"
#include "tensors.hpp"

namespace {

using zeroth::CpuBackend;
using zeroth::Gaussian;
using zeroth::Options;
using zeroth::Schedule;
using zeroth::ZerothOrderOptimizer;

TEST_CASE("a quadratic is brought to its minimum") {
  // L = sum (t_i - i)^2 / 2 in d = 10: a step of size eta multiplies the expected distance^2 by 1 - 2 eta + eta^2 (d +
  // 2), at best (eta = 1 / 12) by 0.917. After 1000 steps what is left is the rounding of f32.
  zeroth_test::Tensors tensors;
  std::vector<float> const& theta = tensors.add("theta", std::vector<float>(10, 0.0F));
  auto loss = [](std::span<float const> t) {
    double sum = 0;
    for (std::size_t i = 0; i < t.size(); ++i)
      sum += (double{t[i]} - static_cast<double>(i)) * (double{t[i]} - static_cast<double>(i)) / 2;
    return sum;
  };
  ZerothOrderOptimizer optimizer(tensors.parameters, Gaussian{}, zeroth::Dense{}, CpuBackend{},
                                 Options{.epsilon = 1e-3, .learning_rate = 1.0 / 12});
  for (int i = 0; i < 1000; ++i) optimizer.step(zeroth_test::fused(tensors.parameters, loss));
  constexpr double some_ulps_of_the_largest_weight = 1e-5;
  for (std::size_t i = 0; i < 10; ++i)
    CHECK(std::abs(double{theta[i]} - static_cast<double>(i)) < some_ulps_of_the_largest_weight);
}

TEST_CASE("a sparse mask finds the minimum over the weights that it tunes") {
  zeroth_test::Tensors tensors;
  std::vector<float> const& theta = tensors.add("theta", {0.1F, 5.0F, -0.2F, -7.0F});
  auto loss = [](std::span<float const> t) {  // coupled: the best small weights depend on the large ones
    double const sum = double{t[0]} + double{t[1]} + double{t[2]} + double{t[3]};
    return sum * sum + (double{t[0]} - 1) * (double{t[0]} - 1);
  };
  // The tuned weights may grow past the threshold, so the mask is constant.
  ZerothOrderOptimizer optimizer(tensors.parameters, Gaussian{}, zeroth::StoredMask{{{"theta", {0b0101}}}},
                                 CpuBackend{}, Options{.epsilon = 1e-3, .learning_rate = 0.05});
  for (int i = 0; i < 2000; ++i) optimizer.step(zeroth_test::fused(tensors.parameters, loss));
  constexpr double some_ulps_of_the_largest_weight = 1e-5;
  CHECK(std::abs(double{theta[0]} - 1) < some_ulps_of_the_largest_weight);
  CHECK(std::abs(double{theta[2]} - 1) < some_ulps_of_the_largest_weight);
  CHECK(theta[1] == 5.0F);
  CHECK(theta[3] == -7.0F);
}

TEST_CASE("Rosenbrock's valley is followed to its end") {
  zeroth_test::Tensors tensors;
  std::vector<float> const& theta = tensors.add("theta", {-1.2F, 1.0F});
  auto loss = [](std::span<float const> t) {
    double const x = t[0];
    double const y = t[1];
    return (1 - x) * (1 - x) + 100 * (y - x * x) * (y - x * x);
  };
  // The curvature across the valley, up to 1000, bounds the step; along it is 0.4 at the end, so that the distance to
  // (1, 1) falls as exp(-0.4 eta t): by exp(-8) or 3e-4 over the last 50000 steps. The clip is for the steep start.
  ZerothOrderOptimizer optimizer(tensors.parameters, Gaussian{}, zeroth::Dense{}, zeroth::ReferenceBackend{},
                                 Options{.epsilon = 1e-4, .learning_rate = 4e-4, .clip = 100.0});
  for (int i = 0; i < 60'000; ++i) optimizer.step(zeroth_test::in_place(tensors.parameters, loss));
  constexpr double distance_left = 0.02;
  CHECK(std::abs(double{theta[0]} - 1) < distance_left);
  CHECK(std::abs(double{theta[1]} - 1) < 2 * distance_left);  // y = x^2
}

TEST_CASE("FZOO brings a badly scaled quadratic to its minimum, whatever the size of the loss") {
  // L = a sum k_i (t_i - i)^2 / 2, curvatures from 1 to 8. The step is normalised: its length is about the learning
  // rate over epsilon, for any a, and falls to 0 with the schedule; the distance left is of the order of the last
  // steps.
  for (double a : {1e-3, 1.0, 1e3}) {
    zeroth_test::Tensors tensors;
    std::vector<float> const& theta = tensors.add("theta", std::vector<float>(8, 0.0F));
    auto loss = [&](std::span<float const> t) {
      double sum = 0;
      for (std::size_t i = 0; i < t.size(); ++i)
        sum += static_cast<double>(i + 1) * std::pow(double{t[i]} - static_cast<double>(i), 2) / 2;
      return a * sum;
    };
    double const epsilon = 1e-3;
    ZerothOrderOptimizer optimizer(
        tensors.parameters, zeroth::Rademacher{}, zeroth::Dense{}, CpuBackend{}, zeroth::Sgd{}, zeroth::Fzoo{},
        Options{.epsilon = epsilon, .learning_rate = 0.1 * epsilon, .schedule = Schedule::linear(1000), .samples = 8});
    for (int i = 0; i < 1000; ++i) optimizer.step(zeroth_test::fused(tensors.parameters, loss));
    // One-sided differences see a minimum shifted by about epsilon / 2 along each direction.
    for (std::size_t i = 0; i < 8; ++i) CHECK(std::abs(double{theta[i]} - static_cast<double>(i)) < 0.01);
  }
}

TEST_CASE("the lowest of three comes to the minimum with a learning rate that sends Sgd away") {
  // L = sum (t_i - 1)^2 / 2 in d = 4. Beyond eta = 2 / (d + 2) a step of Sgd makes the expected distance longer. The
  // lowest of three moves by g z or not at all, and never up: half of the directions with a short enough g z remain.
  auto distance_after = [](zeroth::Acceptance acceptance) {
    zeroth_test::Tensors tensors;
    std::vector<float> const& theta = tensors.add("theta", std::vector<float>(4, 0.0F));
    auto loss = [](std::span<float const> t) {
      double sum = 0;
      for (float x : t) sum += (double{x} - 1) * (double{x} - 1) / 2;
      return sum;
    };
    ZerothOrderOptimizer optimizer(tensors.parameters, Gaussian{}, zeroth::Dense{}, CpuBackend{},
                                   Options{.epsilon = 1e-3, .learning_rate = 0.7, .acceptance = acceptance});
    for (int i = 0; i < 300; ++i) optimizer.step(zeroth_test::fused(tensors.parameters, loss));
    return std::sqrt(2 * loss(theta));
  };
  CHECK(distance_after(zeroth::Acceptance::always) > 10);
  CHECK(distance_after(zeroth::Acceptance::lowest_of_three) < 1e-5);  // some ulps of 1
}

TEMPLATE_TEST_CASE("updates with state bring a badly scaled quadratic to its minimum", "", zeroth::Momentum,
                   zeroth::Adam, zeroth::AdaMm) {
  // L = sum k_i (t_i - i)^2 / 2, curvatures from 1 to 8. Near the minimum the estimates shrink with the distance, which
  // suits momentum; Adam's steps keep their length, so that the schedule has to bring them to 0.
  zeroth_test::Tensors tensors;
  std::vector<float> const& theta = tensors.add("theta", std::vector<float>(8, 0.0F));
  auto loss = [](std::span<float const> t) {
    double sum = 0;
    for (std::size_t i = 0; i < t.size(); ++i)
      sum += static_cast<double>(i + 1) * std::pow(double{t[i]} - static_cast<double>(i), 2) / 2;
    return sum;
  };
  bool const is_momentum = TestType::name() == "momentum";
  ZerothOrderOptimizer optimizer(tensors.parameters, Gaussian{}, zeroth::Dense{}, CpuBackend{}, TestType{},
                                 Options{.epsilon = 1e-3,
                                         .learning_rate = is_momentum ? 1e-3 : 0.1,
                                         .schedule = Schedule::linear(6000),
                                         .samples = 2});
  for (int i = 0; i < 6000; ++i) optimizer.step(zeroth_test::fused(tensors.parameters, loss));
  for (std::size_t i = 0; i < 8; ++i) CHECK(std::abs(double{theta[i]} - static_cast<double>(i)) < 0.01);
}

/// Points of two classes whose centres lie at -1 and +1 along each of 8 axes.
struct Classes {
  static constexpr std::size_t axes = 8;
  std::vector<float> points;
  std::vector<double> labels;

  Classes(std::size_t count, std::uint64_t seed) : points(zeroth_test::normal_weights(count * axes, seed, 2.0F)) {
    for (std::size_t i = 0; i < count; ++i) {
      labels.push_back(i % 2 == 0 ? 1 : -1);
      for (std::size_t a = 0; a < axes; ++a) points[i * axes + a] += static_cast<float>(labels[i]);
    }
  }
  [[nodiscard]] double margin(std::size_t i, std::span<float const> w) const {
    double sum = double{w[axes]};
    for (std::size_t a = 0; a < axes; ++a) sum += double{w[a]} * double{points[i * axes + a]};
    return labels[i] * sum;
  }
  [[nodiscard]] double loss(std::size_t i, std::span<float const> w) const {
    return std::log1p(std::exp(-margin(i, w)));
  }
};

TEST_CASE("logistic regression on batches learns what its data allow") {
  constexpr std::size_t examples = 400;
  constexpr std::size_t batch = 32;
  constexpr std::uint64_t seed = 6;
  Classes const train(examples, 1);
  Classes const held_out(examples, 2);
  zeroth_test::Tensors tensors;
  std::vector<float> const& w = tensors.add("w", std::vector<float>(Classes::axes + 1, 0.0F));
  ZerothOrderOptimizer optimizer(
      tensors.parameters, zeroth::Rademacher{}, zeroth::Dense{}, CpuBackend{},
      Options{.epsilon = 1e-3, .learning_rate = 0.05, .schedule = Schedule::cosine(1500, 10), .seed = seed});
  for (int step = 0; step < 1500; ++step)
    optimizer.step([&](zeroth::Evaluation const& evaluation) {
      double sum = 0;
      for (std::size_t i = 0; i < batch; ++i) {
        auto const drawn = zeroth::draw_example(seed, static_cast<std::uint32_t>(evaluation.step), i, examples);
        sum += train.loss(static_cast<std::size_t>(drawn), w);
      }
      return sum / batch;
    });
  double loss = 0;
  std::size_t right = 0;
  for (std::size_t i = 0; i < examples; ++i) {
    loss += held_out.loss(i, w) / examples;
    right += held_out.margin(i, w) > 0 ? 1U : 0U;
  }
  // The best classifier is right with probability Phi(sqrt(8) / 2) = 0.921, at a loss of 0.19; of 400 points the
  // standard error is 0.0135, and three of them are allowed.
  CHECK(static_cast<double>(right) / examples > 0.921 - 3 * 0.0135);
  CHECK(loss < 0.25);
}

TEST_CASE("sign descent ends within its step of the minimum") {
  zeroth_test::Tensors tensors;
  std::vector<float> const& theta = tensors.add("theta", {3.0F});
  auto loss = [](std::span<float const> t) { return (double{t[0]} + 1) * (double{t[0]} + 1); };
  ZerothOrderOptimizer optimizer(tensors.parameters, Gaussian{}, zeroth::Dense{}, CpuBackend{}, zeroth::SignSgd{},
                                 Options{.epsilon = 1e-4, .learning_rate = 0.01});
  for (int i = 0; i < 500; ++i) optimizer.step(zeroth_test::fused(tensors.parameters, loss));
  CHECK(std::abs(theta[0] + 1) < 0.011F);  // one step, and the rounding of 500 of them
}

}  // namespace
