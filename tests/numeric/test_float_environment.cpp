// SPDX-License-Identifier: MIT
#include <zeroth/numeric/float_environment.hpp>

#include <cfenv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <zeroth/zeroth.hpp>

#include "catch.hpp"
#include "objectives.hpp"
#include "tensors.hpp"

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace {

using zeroth::DefaultFloatEnvironment;

/// Rounds upwards, and treats subnormal numbers as 0 where we know how to request that.
struct HostileEnvironment {
  HostileEnvironment() {
    std::fegetenv(&before);
    std::fesetround(FE_UPWARD);
#if defined(__SSE__)
    _mm_setcsr(_mm_getcsr() | 0x8040U);
#elif defined(__aarch64__)
    std::uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    __asm__ volatile("msr fpcr, %0" : : "r"(control | std::uint64_t{1} << 24));
#endif
  }
  ~HostileEnvironment() {
    std::fesetenv(&before);
  }
  HostileEnvironment(HostileEnvironment const&) = delete;
  HostileEnvironment& operator=(HostileEnvironment const&) = delete;

  std::fenv_t before{};
};

/// Whether this thread rounds upwards and flushes subnormals.
bool is_hostile() {
  double const volatile one = 1;
  double const volatile small = 0x1p-60;
  bool hostile = one + small > 1;
#if defined(__SSE__) || defined(__aarch64__)
  float const volatile least = 0x1p-126F;
  float const volatile half = least * 0.5F;
  hostile = hostile && zeroth::bits_of(half) == 0;
#endif
  return hostile;
}
bool is_default() {
  double const volatile one = 1;
  double const volatile small = 0x1p-60;
  float const volatile least = 0x1p-126F;
  float const volatile half = least * 0.5F;
  double const volatile up = one + small;
  double const volatile down = one - small;
  return up == 1 && down == 1 && zeroth::bits_of(half) == 0x00400000U;
}

/// Sets a hostile environment on its threads, as an engine may.
struct HostileExecutor {
  [[nodiscard]] unsigned concurrency() const { return 2; }
  void parallel_for(std::size_t count, zeroth::IndexedTask body) const {
    bool stays = true;
    std::thread([&] {
      HostileEnvironment const hostile;
      for (std::size_t i = 0; i < count; ++i) body(i);
      stays = is_hostile();
    }).join();
    if (!stays) throw std::runtime_error("a task has left its thread in another environment");
  }
};

TEST_CASE("a default environment ends with the settings that it found") {
  REQUIRE(is_default());
  {
    DefaultFloatEnvironment const environment;
    CHECK(is_default());
  }
  CHECK(is_default());
  bool inside = false;
  bool nested = false;
  bool after = false;
  bool result = false;
  {
    HostileEnvironment const hostile;
    {
      DefaultFloatEnvironment const environment;
      inside = is_default();
      {
        DefaultFloatEnvironment const again;
        nested = is_default();
      }
      nested = nested && is_default();
    }
    result = zeroth::in_default_float_environment([] { return is_default(); });
    after = is_hostile();
  }
  CHECK(inside);
  CHECK(nested);
  CHECK(result);
  CHECK(after);
  CHECK(is_default());
}

#if defined(__SSE__)
TEST_CASE("what traps outside a default environment traps nowhere inside") {
  unsigned const before = _mm_getcsr();
  _mm_setcsr(before & ~0x0200U);  // division by zero traps
  bool infinite = false;
  {
    DefaultFloatEnvironment const environment;
    double const volatile zero = 0;
    double const volatile one = 1;
    double const volatile quotient = one / zero;
    infinite = !zeroth::is_finite(quotient);
  }
  unsigned const after = _mm_getcsr();
  _mm_setcsr(before);
  CHECK(infinite);
  CHECK(after == (before & ~0x0200U));
}
#endif

/// The weights after some steps, and the reports of the steps.
struct Run {
  std::vector<std::uint32_t> weights;
  std::vector<zeroth::StepRecord> records;
  std::vector<double> rates;

  bool operator==(Run const&) const = default;
};

/// Takes some steps, then replays them. The objective's own numbers are whole, so they do not affect the result.
template <class Mask, class Backend, class Update, class Estimator>
Run steps(Mask mask, Backend const& backend, Update update, Estimator estimator, bool fused, zeroth::DataType dtype,
          zeroth::Rounding rounding, zeroth::Acceptance acceptance, bool objective_is_hostile) {
  static constexpr std::size_t size = std::same_as<Backend, zeroth::ReferenceBackend> ? 2'000 : 34'000;
  // Computed once, in the environment of program start.
  static std::vector<float> const values = [] {
    std::vector<float> made = zeroth_test::normal_weights(size, 3);
    for (std::size_t i = 0; i < size; i += 5) made[i] *= 0x1p-121F;  // includes subnormals
    return made;
  }();
  std::vector<float> theta(size);
  std::vector<std::uint16_t> halves(size);
  zeroth::ParameterSet parameters;
  if (dtype == zeroth::DataType::f32) {
    theta = values;
    parameters.add("w", zeroth::Role::matrix, {1, size}, theta);
  } else {
    for (std::size_t i = 0; i < size; ++i) halves[i] = zeroth::narrow(dtype, values[i]);
    parameters.add("w", zeroth::Role::matrix, {1, size}, dtype, halves.data());
  }
  zeroth::ZerothOrderOptimizer optimizer(
      parameters, zeroth::Gaussian{}, mask, backend, update, estimator,
      zeroth::Options{.epsilon = 1e-3,
                      .learning_rate = 1e-3,
                      .schedule = {zeroth::Schedule::Shape::cosine, 7, 2, 0.3},
                      .samples = 3,
                      .samples_per_probe = 2,
                      .micro_batches = 3,
                      .seed = 9,
                      .clip = 700.0,
                      .acceptance = acceptance,
                      .restore = dtype == zeroth::DataType::f32 ? zeroth::Restore::arithmetic : zeroth::Restore::exact,
                      .rounding = rounding});
  Run run;
  unsigned count = 0;
  bool own = true;
  auto next = [&] {
    own = own && (objective_is_hostile ? is_hostile() : is_default());
    count = (count * 5 + 3) % 997;
    return static_cast<double>(count);
  };
  for (int i = 0; i < 7; ++i) {
    auto report = fused ? optimizer.step([&](zeroth::AnyProbe const& probe, std::span<double> losses) {
      std::vector<std::vector<float>> const lanes = zeroth_test::lanes_of(probe, optimizer.parameters());
      for (std::size_t k = 0; k < losses.size(); ++k)
        losses[k] = next() + (zeroth::bits_of(lanes[k][17]) % 8 + zeroth::bits_of(lanes[k][25]) % 8);
    })
                        : optimizer.step(next);
    run.rates.push_back(report.learning_rate);
    run.records.push_back(report);
  }
  CHECK(own);
  for (float value : theta) run.weights.push_back(zeroth::bits_of(value));
  for (std::uint16_t half : halves) run.weights.push_back(half);
  return run;
}

template <class... Arguments>
void compare(Arguments const&... arguments) {
  Run const expected = steps(arguments..., false);
  Run found;
  {
    HostileEnvironment const hostile;
    found = steps(arguments..., true);
  }
  CHECK(is_default());
  CHECK((found.records == expected.records));
  CHECK(found.rates == expected.rates);
  CHECK((found.weights == expected.weights));
}

TEST_CASE("a run has the same bits on threads that round otherwise and flush subnormals") {
  using zeroth::DataType;
  using zeroth::Rounding;
  zeroth::SmallestMagnitude const sparse{.sparsity = 0.3};
  HostileExecutor executor;
  constexpr auto always = zeroth::Acceptance::always;
  for (bool fused : {true, false}) {
    INFO((fused ? "fused" : "in place"));
    compare(sparse, zeroth::ReferenceBackend{}, zeroth::Adam{.weight_decay = 0.1}, zeroth::CentralDifference{}, fused,
            DataType::f32, Rounding::nearest, always);
    compare(zeroth::RandomMask{.sparsity = 0.7}, zeroth::CpuBackend{}, zeroth::WindowMomentum{.window = 3},
            zeroth::OneSided{}, fused, DataType::f32, Rounding::nearest, always);
    compare(sparse, zeroth::CpuBackend{executor}, zeroth::AdaMm{}, zeroth::Fzoo{}, fused, DataType::f32,
            Rounding::nearest, always);
    compare(sparse, zeroth::CpuBackend{executor}, zeroth::Sgd{.weight_decay = 0.1}, zeroth::CentralDifference{}, fused,
            DataType::f16, Rounding::extra_byte, always);
    compare(sparse, zeroth::CpuBackend{executor, zeroth::InstructionSet::portable}, zeroth::SignSgd{},
            zeroth::CentralDifference{}, fused, DataType::bf16, Rounding::compensated, always);
  }
  compare(sparse, zeroth::CpuBackend{executor}, zeroth::Sgd{.weight_decay = 0.1}, zeroth::OneSided{}, true,
          DataType::f32, Rounding::nearest, zeroth::Acceptance::lowest_of_three);
}

TEST_CASE("backends compute in their own environment, whoever calls them") {
  std::vector<float> weights(300);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = zeroth::float_of(static_cast<std::uint32_t>(i * 99991));
  zeroth::Parameter const tensor{
      "w", zeroth::Role::matrix, {1, weights.size()}, zeroth::DataType::f32, weights.data(), 7, 5};
  zeroth::TensorMask<zeroth::Dense::Rule> const all{zeroth::Coverage::all, {}};
  zeroth::NoiseField<zeroth::Uniform> const noise{{}, 1, 2};
  zeroth::Point const lane{0, +1};
  auto look = [&](auto const& backend) {
    std::vector<float> panel(weights.size());
    std::vector<float> after(weights.size());
    float* const pointer = panel.data();
    backend.expand(tensor, all, noise, std::span(&lane, 1), 0x1.23p-127F, 0, panel.size(), std::span(&pointer, 1));
    zeroth::NoiseTerm const term{2, 3, 0x1.23p-126F};
    backend.preview(tensor, all, noise, zeroth::ElementwisePass{.decay = 0.3F, .terms = {&term, 1}}, 0, after.size(),
                    after.data());
    return std::pair{zeroth_test::bits(panel), zeroth_test::bits(after)};
  };
  auto check = [&](auto const& backend) {
    auto const expected = look(backend);
    auto found = expected;
    {
      HostileEnvironment const hostile;
      found = look(backend);
    }
    CHECK((found == expected));
  };
  check(zeroth::ReferenceBackend{});
  check(zeroth::CpuBackend{});
  check(zeroth::CpuBackend{{}, zeroth::InstructionSet::portable});
}

}  // namespace
