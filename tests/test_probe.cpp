// SPDX-License-Identifier: MIT
#include <zeroth/probe.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/optimizer.hpp>

#include "catch.hpp"
#include "objectives.hpp"
#include "tensors.hpp"

namespace {

using zeroth::AnyProbe;
using zeroth::Point;

struct Stepless {
  std::span<Point const> points() const { return {}; }
  std::uint32_t micro_batch() const { return 0; }
  void expand(std::size_t, std::uint64_t, std::uint64_t, std::span<float* const>) const {}
};

TEST_CASE("the concept Probe accepts what it documents and nothing less") {
  STATIC_REQUIRE(zeroth::Probe<AnyProbe>);
  STATIC_REQUIRE_FALSE(zeroth::Probe<Stepless>);
}

/// An optimizer with two tensors, one of them longer than a tile.
struct Fixture {
  zeroth_test::Tensors tensors;
  zeroth::Options options{.epsilon = 0.01, .samples = 2, .samples_per_probe = 2, .micro_batches = 3, .seed = 5};

  Fixture() {
    tensors.add("a", zeroth_test::normal_weights(300, 1));
    tensors.add("b", zeroth_test::normal_weights(7, 2));
  }
  auto optimizer() {
    return std::make_unique<
        zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::SmallestMagnitude, zeroth::ReferenceBackend>>(
        tensors.parameters, zeroth::Gaussian{}, zeroth::SmallestMagnitude{0.5}, zeroth::ReferenceBackend{}, options);
  }
};

TEST_CASE("a probe says its lanes, step and micro-batch, and so does AnyProbe") {
  Fixture fixture;
  auto const optimizer = fixture.optimizer();
  std::vector<std::uint64_t> steps;
  std::vector<std::uint32_t> micro_batches;
  auto objective = [&](AnyProbe const& probe, std::span<double> losses) {
    std::vector<Point> const expected = {{0, +1}, {0, -1}, {1, +1}, {1, -1}};
    CHECK(std::vector<Point>(probe.points().begin(), probe.points().end()) == expected);
    CHECK(losses.size() == 4);
    steps.push_back(probe.step());
    micro_batches.push_back(probe.micro_batch());
  };
  optimizer->step(objective);
  optimizer->step(objective);
  CHECK(steps == std::vector<std::uint64_t>{0, 0, 0, 1, 1, 1});
  CHECK(micro_batches == std::vector<std::uint32_t>{0, 1, 2, 0, 1, 2});
}

TEST_CASE("a probe's lanes are theta + sign epsilon m z, also through AnyProbe") {
  Fixture fixture;
  auto const optimizer = fixture.optimizer();
  auto objective = [&](auto const& probe, std::span<double>) {
    auto const lanes = zeroth_test::lanes_of(probe, fixture.tensors.parameters);
    CHECK(zeroth_test::lanes_of(AnyProbe(probe), fixture.tensors.parameters) == lanes);
    zeroth::NoiseField<zeroth::Gaussian> const noise{{}, fixture.options.seed, 0};
    for (std::size_t k = 0; k < lanes.size(); ++k) {
      std::size_t at = 0;
      for (std::size_t p = 0; p < fixture.tensors.parameters.size(); ++p) {
        zeroth::Parameter const& tensor = fixture.tensors.parameters[p];
        auto const mask = optimizer->mask_state().tensor(p, 0);
        for (std::uint64_t i = 0; i < tensor.size(); ++i, ++at) {
          float const theta = static_cast<float const*>(tensor.data)[i];
          float const c = static_cast<float>(probe.points()[k].sign) * 0.01F;
          float const z = noise.value(tensor.stream, probe.points()[k].sample, i);
          if (lanes[k][at] != (mask(theta, i) ? std::fma(c, z, theta) : theta)) FAIL_CHECK(tensor.name << " " << i);
        }
      }
    }
  };
  optimizer->step(objective);
}

TEST_CASE("a probe gives the same bits however a tensor is cut into panels") {
  Fixture fixture;
  auto const optimizer = fixture.optimizer();
  auto objective = [&](auto const& probe, std::span<double>) {
    std::vector<std::vector<float>> const whole = zeroth_test::lanes_of(probe, fixture.tensors.parameters);
    std::vector<std::vector<float>> cut(4, std::vector<float>(300));
    for (std::uint64_t first = 0; first < 300; first += 37) {
      std::vector<float*> panels;
      for (std::vector<float>& lane : cut) panels.push_back(lane.data() + first);
      probe.expand(0, first, std::min<std::uint64_t>(37, 300 - first), panels);
    }
    for (std::size_t k = 0; k < 4; ++k)
      CHECK(zeroth_test::bits(cut[k]) == zeroth_test::bits(std::span(whole[k]).first(300)));
  };
  optimizer->step(objective);
}

}  // namespace
