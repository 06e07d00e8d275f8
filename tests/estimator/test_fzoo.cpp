// SPDX-License-Identifier: MIT
#include <zeroth/estimator/fzoo.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/rademacher.hpp>

#include "catch.hpp"
#include "objectives.hpp"
#include "tensors.hpp"

namespace {

using zeroth::Fzoo;
using zeroth::Options;
using zeroth::StepReport;
using zeroth_test::bits;

using zeroth_test::loss;

/// The report of an FZOO step with Rademacher directions, and the weights after it.
template <class B>
std::pair<StepReport, std::vector<std::uint32_t>> one_step(B backend, double factor, std::uint32_t at_once = 1) {
  zeroth_test::Tensors tensors;
  tensors.add("w", zeroth_test::normal_weights(300, 1));
  zeroth::ZerothOrderOptimizer optimizer(
      tensors.parameters, zeroth::Rademacher{}, zeroth::SmallestMagnitude{0.5}, backend, zeroth::Sgd{}, Fzoo{},
      Options{.epsilon = 0x1p-10, .learning_rate = 1e-5, .samples = 8, .samples_per_probe = at_once, .seed = 5});
  StepReport report = optimizer.step(
      zeroth_test::fused(tensors.parameters, [&](std::span<float const> theta) { return factor * loss(theta); }));
  return {std::move(report), bits(tensors.all())};
}

TEST_CASE("FZOO is an estimator of n + 1 points that takes two samples at least") {
  STATIC_REQUIRE(zeroth::Estimator<Fzoo>);
  CHECK(zeroth::least_samples_of(Fzoo{}) == 2);
  CHECK(zeroth::least_samples_of(zeroth::OneSided{}) == 1);
  CHECK(one_step(zeroth::ReferenceBackend{}, 1).first.losses.size() == 9);
  zeroth_test::Tensors tensors;
  tensors.add("w", {1.0F});
  CHECK_THROWS_WITH(zeroth::ZerothOrderOptimizer(tensors.parameters, zeroth::Rademacher{}, zeroth::Dense{},
                                                 zeroth::ReferenceBackend{}, zeroth::Sgd{}, Fzoo{}, Options{}),
                    "samples must be at least 2 for estimator 'fzoo', got 1");
}

TEST_CASE("FZOO's scale is one over the standard deviation of the batch") {
  std::vector<double> const losses = {1, 2, 3, 4};
  CHECK(Fzoo{}.scale(losses) == Approx(1 / std::sqrt(5.0 / 3)));
  std::vector<double> const equal = {0.7, 0.7, 0.7};
  CHECK(Fzoo{}.scale(equal) == 0);
  CHECK(zeroth::scale_of(zeroth::OneSided{}, losses) == 1);
}

TEST_CASE("FZOO divides each one-sided difference by the standard deviation of the perturbed losses") {
  StepReport const report = one_step(zeroth::ReferenceBackend{}, 1).first;
  double mean = 0;
  for (std::size_t s = 1; s <= 8; ++s) mean += report.losses[s] / 8;
  double squares = 0;
  for (std::size_t s = 1; s <= 8; ++s) squares += (report.losses[s] - mean) * (report.losses[s] - mean);
  double const sigma = std::sqrt(squares / 7);
  for (std::size_t s = 0; s < 8; ++s) {
    double const g = (report.losses[s + 1] - report.losses[0]) / 0x1p-10 / sigma;
    CHECK(report.projected_gradients[s] == Approx(g).epsilon(1e-12));
    CHECK(report.coefficients[s] == static_cast<float>(-1e-5 * report.projected_gradients[s] / 8));
  }
}

TEST_CASE("the size of the loss changes nothing in a step of FZOO") {
  auto const plain = one_step(zeroth::ReferenceBackend{}, 1);
  CHECK(one_step(zeroth::ReferenceBackend{}, 1024).second == plain.second);  // scaling by a power of 2 is exact
  CHECK(one_step(zeroth::ReferenceBackend{}, 0x1p-20).second == plain.second);
  CHECK(one_step(zeroth::ReferenceBackend{}, -1).second != plain.second);
}

TEST_CASE("a step of FZOO has the same bits on each backend, however many samples a probe takes") {
  auto const expected = one_step(zeroth::ReferenceBackend{}, 1);
  for (zeroth::InstructionSet set : zeroth::every_instruction_set)
    if (zeroth::is_supported(set))
      for (std::uint32_t at_once : {1U, 3U, 8U}) {
        auto const step = one_step(zeroth::CpuBackend{{}, set}, 1, at_once);
        CHECK(step.first.losses == expected.first.losses);
        CHECK(step.second == expected.second);
      }
}

TEST_CASE("losses that are all the same move no weight, and one that is not finite skips the step") {
  zeroth_test::Tensors tensors;
  std::vector<float> const& w = tensors.add("w", zeroth_test::normal_weights(300, 1));
  std::vector<float> const before = w;
  zeroth::ZerothOrderOptimizer optimizer(tensors.parameters, zeroth::Rademacher{}, zeroth::Dense{},
                                         zeroth::ReferenceBackend{}, zeroth::Sgd{}, Fzoo{},
                                         Options{.learning_rate = 1, .samples = 3});
  StepReport const flat = optimizer.step([](auto const&, std::span<double> losses) {
    for (double& l : losses) l = 0.25;
  });
  CHECK_FALSE(flat.skipped());
  CHECK(flat.projected_gradient == 0);
  CHECK(w == before);
  std::size_t calls = 0;
  StepReport const bad = optimizer.step([&](auto const&, std::span<double> losses) {
    for (double& l : losses) l = ++calls == 3 ? std::numeric_limits<double>::infinity() : 1.0;
  });
  CHECK(bad.skip_reason == zeroth::SkipReason::non_finite_loss);
  CHECK(bits(w) == bits(before));
}

}  // namespace
