// SPDX-License-Identifier: MIT
// Momentum whose past is regenerated from scalars.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <zeroth/zeroth.hpp>

#include "catch.hpp"
#include "matrix_and_norm.hpp"
#include "objectives.hpp"
#include "tensors.hpp"

namespace {

using zeroth::Momentum;
using zeroth::Options;
using zeroth::Restore;
using zeroth::StepRecord;
using zeroth::WindowMomentum;
using zeroth::ZerothOrderOptimizer;
using zeroth_test::bits;
using zeroth_test::contains_text;
using zeroth_test::loss;

constexpr int steps = 30;

using Fixture = zeroth_test::MatrixAndNorm;

Options options(Restore restore = Restore::exact) {
  return {.epsilon = 1e-3,
          .learning_rate = 1e-4,
          .schedule = zeroth::Schedule::linear(steps),
          .samples = 2,
          .seed = 3,
          .restore = restore};
}

TEST_CASE("the concept UpdateWithWindow accepts WindowMomentum and no other update") {
  STATIC_REQUIRE(zeroth::UpdateWithWindow<WindowMomentum>);
  STATIC_REQUIRE_FALSE(zeroth::UpdateWithWindow<Momentum>);
  STATIC_REQUIRE_FALSE(zeroth::UpdateWithWindow<zeroth::Sgd>);
  STATIC_REQUIRE(zeroth::Update<WindowMomentum>);
  STATIC_REQUIRE_FALSE(zeroth::ElementwiseUpdate<WindowMomentum>);
  CHECK(WindowMomentum::name() == "window-momentum");
  CHECK(describe(WindowMomentum{}) == "window-momentum(beta=0.9, window=64, weight_decay=0)");
}

TEST_CASE("window momentum rejects a field out of range by name") {
  CHECK_THROWS_WITH(WindowMomentum{.beta = 1}.check(), contains_text("beta must be in [0, 1), got 1"));
  CHECK_THROWS_WITH(WindowMomentum{.window = 0}.check(), contains_text("window must be at least 1 update, got 0"));
  CHECK_THROWS_WITH(WindowMomentum{.weight_decay = 2}.check(), contains_text("weight_decay must be in [0, 1], got 2"));
  CHECK_NOTHROW(WindowMomentum{}.check());
}

/// The weights after each step, of which step 5 is skipped; and the records.
struct Run {
  std::vector<std::vector<std::uint32_t>> weights;
  std::vector<float> last;
  std::vector<StepRecord> records;
};

template <class B, class U, class M>
Run run(B backend, U update, M mask, bool fused = true, Restore restore = Restore::exact) {
  Fixture fixture;
  ZerothOrderOptimizer optimizer(fixture.parameters(), zeroth::Gaussian{}, mask, backend, update, options(restore));
  auto measured = [&](std::span<float const> theta) {
    return optimizer.steps() == 5 ? std::numeric_limits<double>::infinity() : loss(theta);
  };
  Run result;
  for (int i = 0; i < steps; ++i) {
    result.records.push_back(fused ? optimizer.step(zeroth_test::fused(fixture.parameters(), measured))
                                   : optimizer.step(zeroth_test::in_place(fixture.parameters(), measured)));
    result.weights.push_back(fixture.bits());
  }
  result.last = fixture.tensors.all();
  if (fused) CHECK(optimizer.bytes() == (zeroth::ElementwiseUpdate<U> ? 4 * result.last.size() : 0));
  return result;
}

TEST_CASE("each step adds the noise of the updates in the window, the youngest first") {
  Fixture fixture;
  WindowMomentum const update{.beta = 0.5, .window = 3};
  ZerothOrderOptimizer optimizer(fixture.parameters(), zeroth::Gaussian{}, zeroth::Dense{}, zeroth::CpuBackend{},
                                 update, options());
  std::vector<StepRecord> records;
  for (int i = 0; i < 6; ++i) {
    std::vector<float> expected = fixture.tensors.all();
    records.push_back(optimizer.step(zeroth_test::fused(fixture.parameters(), loss)));
    for (std::uint32_t age = 0; age < 3 && age < records.size(); ++age) {
      StepRecord const& past = records[records.size() - 1 - age];
      zeroth::NoiseField<zeroth::Gaussian> const noise{{}, 3, static_cast<std::uint32_t>(past.step)};
      std::size_t at = 0;
      for (zeroth::Parameter const& p : fixture.parameters())
        for (std::uint64_t e = 0; e < p.size(); ++e, ++at)
          for (std::uint32_t s = 0; s < 2; ++s) {
            float const c =
                -(records.back().step_size * std::ldexp(1.0F, -static_cast<int>(age))) * past.coefficients[s];
            expected[at] = std::fma(c, noise.value(p.stream, s, e), expected[at]);
          }
    }
    CHECK(fixture.bits() == bits(expected));
  }
}

TEST_CASE("a window with more terms than a pass takes has the bits of one sum") {
  Fixture fixture;
  WindowMomentum const update{.beta = 0.5, .window = 3};
  Options many = options();
  many.samples = static_cast<std::uint32_t>(zeroth::max_terms / 2 - 1);
  ZerothOrderOptimizer optimizer(fixture.parameters(), zeroth::Gaussian{}, zeroth::RandomMask{.sparsity = 0.5},
                                 zeroth::CpuBackend{}, update, many);
  std::vector<StepRecord> records;
  for (int i = 0; i < 4; ++i) {
    std::vector<float> expected = fixture.tensors.all();
    records.push_back(optimizer.step([&](auto const&, std::span<double> losses) {
      for (std::size_t k = 0; k < losses.size(); ++k) losses[k] = static_cast<double>(k * k % 7) * 1e-3;
    }));
    std::size_t at = 0;
    for (std::size_t t = 0; t < fixture.parameters().size(); ++t) {
      zeroth::Parameter const& p = fixture.parameters()[t];
      for (std::uint64_t e = 0; e < p.size(); ++e, ++at) {
        if (!optimizer.mask_state().tensor(t, 0)(expected[at], e)) continue;
        for (std::uint32_t age = 0; age < 3 && age < records.size(); ++age) {
          StepRecord const& past = records[records.size() - 1 - age];
          zeroth::NoiseField<zeroth::Gaussian> const noise{{}, 3, static_cast<std::uint32_t>(past.step)};
          for (std::uint32_t s = 0; s < many.samples; ++s)
            expected[at] = std::fma(update.term_coefficient(past.coefficients[s], records.back().step_size, age),
                                    noise.value(p.stream, s, e), expected[at]);
        }
      }
    }
    CHECK(fixture.bits() == bits(expected));
  }
}

TEMPLATE_TEST_CASE("a window over the whole run is momentum, but for the order of roundings", "", zeroth::Dense,
                   zeroth::RandomMask) {
  // A step of about 1e-3 at weights of about 0.02: after 30 steps of 30 roundings of 2^-24 each of that.
  Run const window = run(zeroth::CpuBackend{}, WindowMomentum{.window = steps}, TestType{});
  Run const momentum = run(zeroth::CpuBackend{}, Momentum{}, TestType{});
  Fixture const fixture;
  std::vector<float> const before = fixture.tensors.all();
  double moved = 0;
  double apart = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    moved = std::max(moved, std::abs(double{momentum.last[i]} - double{before[i]}));
    apart = std::max(apart, std::abs(double{momentum.last[i]} - double{window.last[i]}));
  }
  CHECK(apart < 1e-4 * moved);
  CHECK(window.weights != momentum.weights);
  // A shorter window leaves something out, and one with only the step itself is plain descent.
  Run const one = run(zeroth::CpuBackend{}, WindowMomentum{.window = 1}, TestType{});
  CHECK(one.weights[0] == window.weights[0]);
  CHECK(one.weights[1] != window.weights[1]);
}

TEST_CASE("window momentum has the same bits on each backend, in place, and replayed") {
  WindowMomentum const update{.beta = 0.8, .window = 7, .weight_decay = 0.01};
  zeroth::RandomMask const mask{.sparsity = 0.5};
  Run const expected = run(zeroth::ReferenceBackend{}, update, mask);
  CHECK(run(zeroth::CpuBackend{}, update, mask).weights == expected.weights);
  CHECK(run(zeroth::CpuBackend{}, update, mask, false).weights == expected.weights);
  for (Restore restore : {Restore::exact, Restore::arithmetic}) {
    Run const in_place = run(zeroth::CpuBackend{}, update, mask, false, restore);
    Fixture fixture;
    ZerothOrderOptimizer again(fixture.parameters(), zeroth::Gaussian{}, mask, zeroth::CpuBackend{}, update,
                               options(restore));
    for (int i = 0; i < steps; ++i) {
      again.replay(in_place.records[static_cast<std::size_t>(i)]);
      CHECK(fixture.bits() == in_place.weights[static_cast<std::size_t>(i)]);
    }
  }
}

TEST_CASE("window momentum rejects masks that change and 16-bit weights") {
  Fixture fixture;
  using Redrawn = ZerothOrderOptimizer<zeroth::Gaussian, zeroth::RandomMask, zeroth::CpuBackend, WindowMomentum>;
  CHECK_THROWS_WITH((Redrawn(fixture.parameters(), {}, {.redraw_every = 1}, zeroth::CpuBackend{}, {}, Options{})),
                    contains_text("update 'window-momentum' needs a mask that stays the same from step to step"));
  std::vector<std::uint16_t> half(8);
  zeroth::ParameterSet parameters;
  parameters.add("h", zeroth::Role::matrix, {2, 4}, zeroth::DataType::bf16, half.data());
  using Dense = ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, zeroth::CpuBackend, WindowMomentum>;
  CHECK_THROWS_WITH((Dense(parameters, {}, {}, zeroth::CpuBackend{}, {}, Options{})),
                    contains_text("update 'window-momentum' needs f32 weights, parameter 'h' is bf16"));
}

TEST_CASE("window momentum brings a badly scaled quadratic to its minimum") {
  // As for the updates with state in test_known_optima.cpp, with momentum's learning rate.
  zeroth_test::Tensors tensors;
  std::vector<float> const& theta = tensors.add("theta", std::vector<float>(8, 0.0F));
  auto quadratic = [](std::span<float const> t) {
    double sum = 0;
    for (std::size_t i = 0; i < t.size(); ++i)
      sum += static_cast<double>(i + 1) * std::pow(double{t[i]} - static_cast<double>(i), 2) / 2;
    return sum;
  };
  ZerothOrderOptimizer optimizer(
      tensors.parameters, zeroth::Gaussian{}, zeroth::Dense{}, zeroth::CpuBackend{}, WindowMomentum{},
      Options{.epsilon = 1e-3, .learning_rate = 1e-3, .schedule = zeroth::Schedule::linear(6000), .samples = 2});
  for (int i = 0; i < 6000; ++i) optimizer.step(zeroth_test::fused(tensors.parameters, quadratic));
  for (std::size_t i = 0; i < 8; ++i) CHECK(std::abs(double{theta[i]} - static_cast<double>(i)) < 0.01);
}

}  // namespace
