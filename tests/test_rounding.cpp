// SPDX-License-Identifier: MIT
// The optimizer on 16-bit weights.
#include <zeroth/optimizer.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/sampler/rademacher.hpp>

#include "catch.hpp"
#include "objectives.hpp"
#include "tensors.hpp"

namespace {

using zeroth::DataType;
using zeroth::Gaussian;
using zeroth::Options;
using zeroth::ParameterSet;
using zeroth::ReferenceBackend;
using zeroth::Restore;
using zeroth::Rounding;
using zeroth::SmallestMagnitude;
using zeroth::ZerothOrderOptimizer;

constexpr Rounding every_rounding[] = {Rounding::nearest, Rounding::stochastic, Rounding::compensated,
                                       Rounding::extra_byte};

/// A 16-bit tensor next to an f32 one, like a model's matrix next to its norm.
struct Fixture {
  std::vector<std::uint16_t> matrix;
  std::vector<float> vector = zeroth_test::normal_weights(9, 2, 1.0F);
  ParameterSet parameters;

  explicit Fixture(DataType dtype) {
    for (float value : zeroth_test::normal_weights(401, 1)) matrix.push_back(narrow(dtype, value));
    parameters.add("matrix", zeroth::Role::matrix, {1, matrix.size()}, dtype, matrix.data());
    parameters.add("vector", zeroth::Role::vector, {1, vector.size()}, vector);
  }

  [[nodiscard]] std::vector<float> values() const {
    std::vector<float> all(matrix.size());
    ReferenceBackend{}.read(parameters[0], 0, all);
    all.insert(all.end(), vector.begin(), vector.end());
    return all;
  }
};

using zeroth_test::loss;

/// The weights after some fused steps.
template <class B>
std::vector<float> after_fused_steps(DataType dtype, Rounding rounding, B const& backend, int steps,
                                     std::uint64_t seed = 8) {
  Fixture fixture(dtype);
  Options const options{.learning_rate = 1e-3, .samples = 2, .seed = seed, .rounding = rounding};
  ZerothOrderOptimizer optimizer(fixture.parameters, Gaussian{}, SmallestMagnitude{0.5}, backend, options);
  for (int i = 0; i < steps; ++i) optimizer.step(zeroth_test::fused(fixture.parameters, loss));
  return fixture.values();
}

TEST_CASE("each way of rounding takes weights of 16 bits another way, and every backend takes the same") {
  for (DataType dtype : {DataType::bf16, DataType::f16}) {
    std::vector<std::vector<float>> results = {Fixture(dtype).values()};
    for (Rounding rounding : every_rounding) {
      std::vector<float> const result = after_fused_steps(dtype, rounding, ReferenceBackend{}, 30);
      CHECK(after_fused_steps(dtype, rounding, zeroth::CpuBackend{}, 30) == result);
      for (std::vector<float> const& other : results) CHECK(other != result);
      results.push_back(result);
    }
  }
}

TEST_CASE("the chance of stochastic rounding follows from the seed, and a run repeats it") {
  auto run = [](std::uint64_t seed) {
    return after_fused_steps(DataType::bf16, Rounding::stochastic, ReferenceBackend{}, 10, seed);
  };
  CHECK(run(1) == run(1));
  CHECK(run(1) != run(2));
}

TEST_CASE("a fused step that is skipped, or whose objective throws, leaves 16-bit weights and their remainders") {
  for (Rounding rounding : every_rounding) {
    auto run = [&](bool fails) {
      Fixture fixture(DataType::bf16);
      ZerothOrderOptimizer optimizer(fixture.parameters, Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{},
                                     {.learning_rate = 1e-3, .rounding = rounding});
      optimizer.step(zeroth_test::fused(fixture.parameters, loss));
      auto failing = [](auto const&, std::span<double>) { throw std::runtime_error("from the objective"); };
      if (fails) CHECK_THROWS_WITH(optimizer.step(failing), "from the objective");
      optimizer.step(zeroth_test::fused(fixture.parameters, loss));
      return fixture.values();
    };
    CHECK(run(true) == run(false));
  }
}

TEST_CASE("the memory of remainders counts, and only 16-bit weights have any") {
  for (Rounding rounding : every_rounding) {
    Fixture fixture(DataType::f16);
    ZerothOrderOptimizer optimizer(fixture.parameters, Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{},
                                   {.rounding = rounding});
    CHECK(optimizer.bytes() == 0);
    optimizer.step(zeroth_test::fused(fixture.parameters, loss));
    std::size_t const each = remainder_bytes(rounding);
    // 201 of 401 weights have a place, and there is one extra place; 4 tiles with 16 bytes of bits and 2 of the first
    // place, in one group.
    CHECK(optimizer.bytes() == (each == 0 ? 0 : 202 * each + 4 * 18 + 8));

    Fixture other(DataType::f16);
    ZerothOrderOptimizer refreshing(other.parameters, Gaussian{},
                                    SmallestMagnitude{.sparsity = 0.5, .refresh_every = 1000}, ReferenceBackend{},
                                    {.rounding = rounding});
    refreshing.step(zeroth_test::fused(other.parameters, loss));
    CHECK(refreshing.bytes() == 401 * each);
  }
}

/// The weights after 40 steps with that mask; `bytes` is the memory in addition to them.
template <class M, class B>
std::vector<float> after_40_steps(M const& mask, B const& backend, Rounding rounding, std::uint64_t& bytes) {
  Fixture fixture(DataType::bf16);
  ZerothOrderOptimizer optimizer(fixture.parameters, Gaussian{}, mask, backend,
                                 {.learning_rate = 3e-3, .seed = 8, .rounding = rounding});
  for (int i = 0; i < 40; ++i) optimizer.step(zeroth_test::fused(fixture.parameters, loss));
  bytes = optimizer.bytes();
  return fixture.values();
}

TEST_CASE("places for only the active weights change no bit") {
  // The same masks, but only one says that it is fixed: the other's first refresh never comes.
  SmallestMagnitude const fixed{.sparsity = 0.75};
  SmallestMagnitude const refreshing{.sparsity = 0.75, .refresh_every = 1000};
  for (Rounding rounding : {Rounding::compensated, Rounding::extra_byte}) {
    std::uint64_t few = 0;
    std::uint64_t all = 0;
    std::vector<float> const expected = after_40_steps(refreshing, ReferenceBackend{}, rounding, all);
    CHECK(after_40_steps(fixed, ReferenceBackend{}, rounding, few) == expected);
    CHECK(few < all);
    CHECK(after_40_steps(fixed, zeroth::CpuBackend{}, rounding, few) == expected);
    CHECK(after_40_steps(refreshing, zeroth::CpuBackend{}, rounding, all) == expected);
  }
}

TEST_CASE("in place, 16-bit weights are rejected without exact restore, by name") {
  for (DataType dtype : {DataType::bf16, DataType::f16}) {
    Fixture fixture(dtype);
    std::vector<float> const before = fixture.values();
    ZerothOrderOptimizer optimizer(fixture.parameters, Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{},
                                   {.restore = Restore::arithmetic});
    CHECK_THROWS_WITH(optimizer.step([] { return 1.0; }),
                      zeroth_test::contains_text("parameter 'matrix'") &&
                          zeroth_test::contains_text(std::string(to_string(dtype))) &&
                          zeroth_test::contains_text("Restore::exact"));
    CHECK(fixture.values() == before);
    CHECK(optimizer.steps() == 0);
    CHECK_NOTHROW(optimizer.step(zeroth_test::fused(fixture.parameters, loss)));
  }
}

/// An objective that takes its weights from the probe, rounded to 16 bits: those that the in-place form evaluates.
auto fused_at_rounded_points(Fixture const& fixture, DataType dtype) {
  return [&fixture, dtype](auto const& probe, std::span<double> losses) {
    std::vector<std::vector<float>> lanes = zeroth_test::lanes_of(probe, fixture.parameters);
    for (std::size_t k = 0; k < lanes.size(); ++k) {
      for (std::size_t i = 0; i < fixture.matrix.size(); ++i) lanes[k][i] = widen(dtype, narrow(dtype, lanes[k][i]));
      losses[k] = loss(lanes[k]);
    }
  };
}

TEST_CASE("in place with exact restore, points are rounded to nearest and updates are the fused form's") {
  for (DataType dtype : {DataType::bf16, DataType::f16}) {
    for (Rounding rounding : every_rounding) {
      INFO(to_string(dtype) << ", " << to_string(rounding));
      Options const options{
          .learning_rate = 1e-3, .samples = 2, .seed = 8, .restore = Restore::exact, .rounding = rounding};
      Fixture in_place(dtype);
      Fixture fused(dtype);
      ZerothOrderOptimizer one(in_place.parameters, Gaussian{}, SmallestMagnitude{0.5}, zeroth::CpuBackend{}, options);
      ZerothOrderOptimizer two(fused.parameters, Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{}, options);
      for (int i = 0; i < 30; ++i) {
        one.step([&] { return loss(in_place.values()); });
        two.step(fused_at_rounded_points(fused, dtype));
      }
      CHECK(in_place.values() == fused.values());
      CHECK(in_place.values() != Fixture(dtype).values());
      // Four tiles and one: a byte per weight, and one per tile.
      std::size_t const each = remainder_bytes(rounding);
      CHECK(one.bytes() == 5 * (128 + 1) + (each == 0 ? 0 : 202 * each + 4 * 18 + 8));
    }
  }
}

TEST_CASE("in place an exception leaves 16-bit weights as they were, and the next step is the one it interrupted") {
  for (Rounding rounding : every_rounding) {
    auto run = [&](bool fails) {
      Fixture fixture(DataType::bf16);
      ZerothOrderOptimizer optimizer(fixture.parameters, Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{},
                                     {.learning_rate = 1e-3, .restore = Restore::exact, .rounding = rounding});
      auto objective = [&] { return loss(fixture.values()); };
      optimizer.step(objective);
      std::vector<float> const before = fixture.values();
      int evaluation = 0;
      auto failing = [&]() -> double {
        if (evaluation++ == 1) throw std::runtime_error("from the objective");
        return 1;
      };
      if (fails) {
        CHECK_THROWS(optimizer.step(failing));
        CHECK(fixture.values() == before);
      }
      optimizer.step(objective);
      return fixture.values();
    };
    CHECK(run(true) == run(false));
  }
}

TEST_CASE("a run on weights of 16 bits replays from its records, fused or in place, in every way of rounding") {
  for (DataType dtype : {DataType::bf16, DataType::f16}) {
    for (Rounding rounding : every_rounding) {
      for (bool in_place : {false, true}) {
        Options const options{.learning_rate = 1e-3, .seed = 8, .restore = Restore::exact, .rounding = rounding};
        Fixture fixture(dtype);
        ZerothOrderOptimizer run(fixture.parameters, Gaussian{}, SmallestMagnitude{0.5}, zeroth::CpuBackend{}, options);
        Fixture again(dtype);
        ZerothOrderOptimizer replay(again.parameters, Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{}, options);
        for (int i = 0; i < 20; ++i) {
          replay.replay(in_place ? run.step([&] { return loss(fixture.values()); })
                                 : run.step(zeroth_test::fused(fixture.parameters, loss)));
          if (again.values() != fixture.values()) FAIL(to_string(rounding) << " of " << to_string(dtype) << ", " << i);
        }
        CHECK(fixture.values() != Fixture(dtype).values());
      }
    }
  }
}

/// Sum of the weights after steps that each move every weight by +- `update`, which no 16-bit weight of this size can
/// represent by itself.
double moved_by_small_updates(DataType dtype, Rounding rounding, double update, int steps) {
  std::vector<std::uint16_t> weights(4096, narrow(dtype, 0.02F));
  ParameterSet parameters;
  parameters.add("w", zeroth::Role::matrix, {64, 64}, dtype, weights.data());
  ZerothOrderOptimizer optimizer(parameters, zeroth::Rademacher{}, zeroth::Dense{}, zeroth::CpuBackend{},
                                 zeroth::SignSgd{}, {.learning_rate = update, .rounding = rounding});
  // Losses that say: theta + eps z is better than theta - eps z where z agrees with all ones, summed over the weights.
  for (int i = 0; i < steps; ++i) {
    optimizer.step([&](auto const& probe, std::span<double> losses) {
      auto const lanes = zeroth_test::lanes_of(probe, parameters);
      for (std::size_t k = 0; k < lanes.size(); ++k) {
        losses[k] = 0;
        for (float w : lanes[k]) losses[k] -= double{w};
      }
    });
  }
  double sum = 0;
  for (std::uint16_t weight : weights) sum += double{widen(dtype, weight)} - double{widen(dtype, narrow(dtype, 0.02F))};
  return sum;
}

TEST_CASE("updates below half a step are lost to nearest rounding, and to no other") {
  // A step of bf16 at 0.02 is 1.2e-4, of f16 1.5e-5; the updates are 1/40 and 1/5 of these.
  double const update = 3e-6;
  for (DataType dtype : {DataType::bf16, DataType::f16}) {
    INFO(to_string(dtype));
    CHECK(moved_by_small_updates(dtype, Rounding::nearest, update, 400) == 0);
    // Each step moves the sum by at least 0 and by |sum of z| on average: sqrt(2 / pi 4096) = 51 updates.
    double const expected = 400 * update * 51;
    CHECK(moved_by_small_updates(dtype, Rounding::compensated, update, 400) == Approx(expected).epsilon(0.2));
    CHECK(moved_by_small_updates(dtype, Rounding::extra_byte, update, 400) == Approx(expected).epsilon(0.2));
    // Its own walk adds sqrt(4096 x 400 update step) = 0.024 in bf16, 0.009 in f16, compared with 0.061.
    CHECK(moved_by_small_updates(dtype, Rounding::stochastic, update, 400) == Approx(expected).margin(0.045));
  }
}

}  // namespace
