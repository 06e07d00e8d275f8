// SPDX-License-Identifier: MIT
#include <zeroth/step/in_place.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/backend/cpu.hpp>
#include <zeroth/backend/cpu/convert.hpp>
#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/combine.hpp>
#include <zeroth/mask/filter.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/mask/random_mask.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/rademacher.hpp>

#include "catch.hpp"
#include "objectives.hpp"
#include "tensors.hpp"

namespace {

using zeroth::Options;
using zeroth::ParameterSet;
using zeroth::ReferenceBackend;
using zeroth::Restore;
using zeroth::SmallestMagnitude;
using zeroth::ZerothOrderOptimizer;
using zeroth_test::bits;

using zeroth_test::loss;

struct Fixture {
  zeroth_test::Tensors tensors;
  Fixture() {
    tensors.add("blk.0.w", zeroth_test::normal_weights(201, 1));
    tensors.add("blk.0.norm", zeroth::Role::vector, zeroth_test::normal_weights(9, 2, 1.0F));
    tensors.add("blk.0.v", zeroth_test::normal_weights(40, 4, 0.03F));
    tensors.add("blk.1.w", zeroth_test::normal_weights(130, 3));
  }
  [[nodiscard]] ParameterSet const& parameters() const { return tensors.parameters; }
};

/// A policy that tunes one tensor per step, so the active weights change from step to step.
struct Rotating {
  struct Rule {
    bool operator()(float theta, std::uint64_t) const { return theta < 0.01F; }
  };
  struct State {
    std::size_t tensors;
    zeroth::TensorMask<Rule> tensor(std::size_t index, std::uint32_t step) const {
      return {step % tensors == index ? zeroth::Coverage::some : zeroth::Coverage::none, {}};
    }
  };
  State prepare(ParameterSet const& parameters, zeroth::WeightReader const&) const { return {parameters.size()}; }
  static constexpr std::string_view name() { return "rotating"; }
  bool operator==(Rotating const&) const = default;
};

struct KeepSmallOdd {
  bool operator()(float theta, std::uint64_t element) const { return std::abs(theta) < 0.02F && element % 2 == 1; }
  static constexpr std::string_view name() { return "keep-small-odd"; }
  bool operator==(KeepSmallOdd const&) const = default;
};

/// Weights after 100 steps, fused or in place.
template <class M, class B, class E = zeroth::CentralDifference>
std::vector<std::uint32_t> after_100_steps(bool fused, M mask, B backend, E estimator = {}) {
  Fixture fixture;
  ZerothOrderOptimizer optimizer(
      fixture.parameters(), zeroth::Gaussian{}, mask, backend, zeroth::Sgd{0.01}, estimator,
      Options{.epsilon = 1e-3, .learning_rate = 1e-3, .samples = 2, .seed = 8, .restore = Restore::exact});
  for (int i = 0; i < 100; ++i) {
    if (fused)
      optimizer.step(zeroth_test::fused(fixture.parameters(), loss));
    else
      optimizer.step(zeroth_test::in_place(fixture.parameters(), loss));
  }
  return bits(fixture.tensors.all());
}

TEST_CASE("with exact restore 100 steps in place have the bits of 100 fused ones, for each mask") {
  std::vector<std::uint32_t> const initial = bits(Fixture().tensors.all());
  std::vector<std::vector<std::uint32_t>> results;
  auto check = [&](auto mask) {
    INFO(std::string(mask.name()));
    results.push_back(after_100_steps(true, mask, ReferenceBackend{}));
    CHECK(after_100_steps(false, mask, ReferenceBackend{}) == results.back());
    CHECK(after_100_steps(false, mask, zeroth::CpuBackend{}) == results.back());
    CHECK(results.back() != initial);
  };
  SmallestMagnitude const small{0.5};
  zeroth::RandomMask const random{0.5, 1};
  check(zeroth::Dense{});
  check(small);
  check(SmallestMagnitude{.sparsity = 0.5, .scope = zeroth::Scope::layer});
  check(SmallestMagnitude{.sparsity = 0.5, .scope = zeroth::Scope::global});
  check(SmallestMagnitude{.sparsity = 0.5, .vectors = zeroth::Coverage::none});
  check(SmallestMagnitude{.sparsity = 0.5, .refresh_every = 7});
  check(zeroth::LargestMagnitude{0.5});
  check(random);
  check(zeroth::RandomMask{.sparsity = 0.5, .redraw_every = 10});
  check(zeroth::StoredMask{{{"blk.0.w", {7, 7, 7, 7}}, {"blk.1.w", {1, 2, 3}}}});
  check(both(small, random));
  check(either(small, random));
  check(zeroth::Filtered{small, zeroth::TensorFilter{.exclude = {"blk.0.*"}}});
  check(Rotating{});
  check(KeepSmallOdd{});
  for (std::size_t i = 0; i < results.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) CHECK(results[i] != results[j]);
}

TEST_CASE("with exact restore and a base point the bits are the fused form's too") {
  SmallestMagnitude const small{0.5};
  std::vector<std::uint32_t> const fused = after_100_steps(true, small, ReferenceBackend{}, zeroth::OneSided{});
  CHECK(after_100_steps(false, small, ReferenceBackend{}, zeroth::OneSided{}) == fused);
  CHECK(after_100_steps(false, small, zeroth::CpuBackend{}, zeroth::OneSided{}) == fused);
}

/// A mutant of SmallestMagnitude: it claims to ignore the weights, so the in-place form does not store its mask and
/// recomputes it from perturbed weights. Re-implementations make this mistake.
struct RecomputesMask {
  SmallestMagnitude policy{};

  struct Rule : zeroth::MagnitudeRule<true> {
    static constexpr bool depends_on_weights = false;
  };
  struct State {
    zeroth::MaskState<SmallestMagnitude> state;
    zeroth::TensorMask<Rule> tensor(std::size_t index, std::uint32_t step) const {
      auto const mask = state.tensor(index, step);
      return {mask.coverage, {mask.rule}};
    }
  };
  State prepare(ParameterSet const& parameters, zeroth::WeightReader const& weights) const {
    return {policy.prepare(parameters, weights)};
  }
  static constexpr std::string_view name() { return "recomputes-mask"; }
  bool operator==(RecomputesMask const&) const = default;
};

/// Which weights differ between two copies.
std::vector<bool> moved(std::vector<float> const& before, std::vector<float> const& after) {
  std::vector<bool> result;
  for (std::size_t i = 0; i < before.size(); ++i)
    result.push_back(zeroth::bits_of(before[i]) != zeroth::bits_of(after[i]));
  return result;
}

/// Of 100 steps with arithmetic restore, how many move other weights at +eps, at -eps or at the end than the fused form
/// does from the same weights.
template <class M, class FusedMask>
int steps_with_another_active_set(M mask, FusedMask fused_mask) {
  // Rademacher directions move every active weight by all of epsilon, so that the moved ones are the active ones.
  Options const options{.epsilon = 2e-3, .learning_rate = 2e-3, .seed = 8, .restore = Restore::arithmetic};
  Fixture fused_fixture;
  Fixture fixture;
  ZerothOrderOptimizer fused(fused_fixture.parameters(), zeroth::Rademacher{}, fused_mask, ReferenceBackend{}, options);
  ZerothOrderOptimizer in_place(fixture.parameters(), zeroth::Rademacher{}, mask, ReferenceBackend{}, options);
  int different = 0;
  for (int step = 0; step < 100; ++step) {
    std::vector<float> const before = fixture.tensors.all();
    std::size_t at = 0;
    for (zeroth::Parameter const& p : fused_fixture.parameters()) {
      std::copy_n(before.begin() + static_cast<std::ptrdiff_t>(at), p.size(), static_cast<float*>(p.data));
      at += p.size();
    }
    std::vector<std::vector<bool>> expected;
    fused.step([&](auto const& probe, std::span<double> losses) {
      auto const lanes = zeroth_test::lanes_of(probe, fused_fixture.parameters());
      for (std::size_t k = 0; k < lanes.size(); ++k) {
        expected.push_back(moved(before, lanes[k]));
        losses[k] = loss(lanes[k]);
      }
    });
    std::vector<std::vector<bool>> found;
    auto const report = in_place.step([&] {
      found.push_back(moved(before, fixture.tensors.all()));
      return loss(fixture.tensors.all());
    });
    bool const same_count =
        report.active_weights == static_cast<std::uint64_t>(std::count(expected[0].begin(), expected[0].end(), true));
    different += found == expected && same_count ? 0 : 1;
  }
  return different;
}

TEST_CASE("in place each step has the active set of the fused form") {
  auto check = [](auto mask) {
    INFO(std::string(mask.name()));
    CHECK(steps_with_another_active_set(mask, mask) == 0);
  };
  check(SmallestMagnitude{0.5});
  check(SmallestMagnitude{.sparsity = 0.5, .scope = zeroth::Scope::global, .refresh_every = 1});
  check(zeroth::LargestMagnitude{0.5});
  check(zeroth::RandomMask{.sparsity = 0.5, .redraw_every = 3});
  check(either(SmallestMagnitude{0.75}, zeroth::RandomMask{0.5}));
  check(KeepSmallOdd{});
  check(Rotating{});
}

TEST_CASE("a mask that is worked out on perturbed weights would be noticed") {
  // Only in the first steps: a weight that leaves the mask while it is perturbed is not restored, so soon no weight
  // remains near the threshold.
  CHECK(steps_with_another_active_set(RecomputesMask{SmallestMagnitude{0.5}}, SmallestMagnitude{0.5}) > 0);
}

TEST_CASE("arithmetic restore leaves a weight within ulps of the perturbed one, inactive ones untouched") {
  Fixture fixture;
  std::vector<float> const before = fixture.tensors.all();
  Options const options{.epsilon = 1e-3, .learning_rate = 0, .samples = 3, .restore = Restore::arithmetic};
  ZerothOrderOptimizer optimizer(fixture.parameters(), zeroth::Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{},
                                 options);
  zeroth::Bitmap const active = optimizer.active_bits(0);
  optimizer.step(zeroth_test::in_place(fixture.parameters(), loss));
  std::vector<float> const after = fixture.tensors.all();
  for (std::size_t i = 0; i < 201; ++i) {
    if (!active.rule()(0, i)) CHECK(zeroth::bits_of(after[i]) == zeroth::bits_of(before[i]));
    // Six roundings, each of half an ulp of a value below 1/32.
    CHECK(std::abs(double{after[i]} - double{before[i]}) <= 6 * 0x1p-30);
  }
}

/// The largest change that a step at rate 0 makes to weights of that size, relative to the size.
double drift(float size, Restore restore) {
  zeroth_test::Tensors tensors;
  tensors.add("w", std::vector<float>(4096, size));
  Options const options{.epsilon = 1e-3, .learning_rate = 0, .restore = restore};
  ZerothOrderOptimizer optimizer(tensors.parameters, zeroth::Gaussian{}, zeroth::Dense{}, ReferenceBackend{}, options);
  optimizer.step(zeroth_test::in_place(tensors.parameters, loss));
  double largest = 0;
  for (float after : tensors.all()) largest = std::max(largest, std::abs(double{after} - double{size}));
  return largest / double{size};
}

TEST_CASE("arithmetic restore is off by the roundings of the perturbed weight, however small the weight is") {
  // The perturbed weight is below 2^-7, where half an ulp is 2^-32, and a step rounds there three times.
  double const bound = 3 * 0x1p-32;
  for (float size : {1e-3F, 1e-6F, 1e-8F}) CHECK(drift(size, Restore::arithmetic) <= bound / double{size});
  // An ulp is 1e-7 of a weight or less: that is what docs/design.md warns of.
  CHECK(drift(1e-6F, Restore::arithmetic) > 1e-5);
  CHECK(drift(1e-8F, Restore::arithmetic) > 1e-3);
  for (float size : {1e-3F, 1e-6F, 1e-8F}) CHECK(drift(size, Restore::exact) == 0);
}

TEST_CASE("in place a loss that is not finite skips the step and puts the weights back") {
  double const infinity = std::numeric_limits<double>::infinity();
  for (int bad_evaluation : {0, 1, 2, 3}) {
    Fixture fixture;
    std::vector<float> const before = fixture.tensors.all();
    ZerothOrderOptimizer optimizer(fixture.parameters(), zeroth::Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{},
                                   {.learning_rate = 1, .samples = 2, .restore = Restore::exact});
    int evaluation = 0;
    auto const report = optimizer.step([&] { return evaluation++ == bad_evaluation ? infinity : 1.0; });
    CHECK(report.skip_reason == zeroth::SkipReason::non_finite_loss);
    CHECK(report.active_weights == 0);
    CHECK(bits(fixture.tensors.all()) == bits(before));
    CHECK(optimizer.steps() == 1);
  }
}

/// Weights after a step whose evaluation `bad` (from 0) throws or, otherwise, returns NaN.
std::vector<std::uint32_t> after_failure(Restore restore, int bad, bool throws) {
  Fixture fixture;
  ZerothOrderOptimizer optimizer(fixture.parameters(), zeroth::Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{},
                                 {.epsilon = 1e-2, .samples = 2, .restore = restore});
  int evaluation = 0;
  auto objective = [&]() -> double {
    if (evaluation++ != bad) return 1;
    if (throws) throw std::runtime_error("from the objective");
    return std::numeric_limits<double>::quiet_NaN();
  };
  if (throws)
    CHECK_THROWS_WITH(optimizer.step(objective), "from the objective");
  else
    CHECK(optimizer.step(objective).skipped());
  CHECK(optimizer.steps() == (throws ? 0U : 1U));
  return bits(fixture.tensors.all());
}

TEST_CASE("an exception from an in-place objective leaves the weights as a skipped step does") {
  for (Restore restore : {Restore::exact, Restore::arithmetic})
    for (int bad : {0, 1, 2, 3}) CHECK(after_failure(restore, bad, true) == after_failure(restore, bad, false));
}

TEST_CASE("after an exception the next step is the one that was interrupted") {
  Options const options{.epsilon = 1e-2, .learning_rate = 1e-3, .restore = Restore::exact};
  auto weights_after_step = [&](bool interrupted) {
    Fixture fixture;
    ZerothOrderOptimizer optimizer(fixture.parameters(), zeroth::Gaussian{}, SmallestMagnitude{0.5}, ReferenceBackend{},
                                   options);
    int evaluation = 0;
    auto failing = [&]() -> double {
      if (evaluation++ == 1) throw std::runtime_error("from the objective");
      return 1;
    };
    if (interrupted) CHECK_THROWS(optimizer.step(failing));
    CHECK(optimizer.step(zeroth_test::in_place(fixture.parameters(), loss)).step == 0);
    return bits(fixture.tensors.all());
  };
  CHECK(weights_after_step(true) == weights_after_step(false));
}

TEST_CASE("on a backend without corrections the in-place form holds a bit per weight, a copy, or nothing") {
  auto bytes_held = [](auto mask, Restore restore) {
    Fixture fixture;
    ZerothOrderOptimizer optimizer(fixture.parameters(), zeroth::Gaussian{}, mask, ReferenceBackend{},
                                   {.restore = restore});
    CHECK(optimizer.bytes() == 0);
    optimizer.step(zeroth_test::fused(fixture.parameters(), loss));
    CHECK(optimizer.bytes() == 0);
    optimizer.step(zeroth_test::in_place(fixture.parameters(), loss));
    return optimizer.bytes();
  };
  // Whole tiles of 16 bytes: two, one and two for the matrices of 201, 40 and 130 weights, none for the dense vector.
  CHECK(bytes_held(SmallestMagnitude{}, Restore::arithmetic) == 80);
  CHECK(bytes_held(zeroth::RandomMask{}, Restore::arithmetic) == 0);
  CHECK(bytes_held(zeroth::Dense{}, Restore::arithmetic) == 0);
  CHECK(bytes_held(SmallestMagnitude{}, Restore::exact) == (201 + 9 + 40 + 130) * sizeof(float));
}

/// Numbers of every size and kind, in the order in which a type counts them, and neighbours of some.
std::vector<float> numbers_of_every_size() {
  std::vector<float> values;
  for (int exponent = -149; exponent <= 127; ++exponent)
    for (float digits : {1.0F, 1.0000001F, 1.7F})
      for (float sign : {1.0F, -1.0F}) values.push_back(sign * std::ldexp(digits, exponent));
  for (float special : {0.0F, -0.0F, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                        std::numeric_limits<float>::quiet_NaN()})
    values.push_back(special);
  return values;
}

/// A tensor of that type, a part of a larger one: neither its beginning nor its end is one of a tile.
struct Shard {
  std::vector<std::byte> memory;
  ParameterSet parameters;

  Shard(zeroth::DataType dtype, std::span<float const> values) : memory(values.size() * zeroth::size_of(dtype)) {
    zeroth::narrow_values(dtype, values, memory.data());
    zeroth::Parameter p;
    p.name = "w";
    p.role = zeroth::Role::matrix;
    p.shape = {1, values.size()};
    p.dtype = dtype;
    p.data = memory.data();
    p.stream = zeroth::stream_of("w");
    p.offset = 77;
    parameters.add(p);
  }
};

template <class S, class M>
void check_that_every_weight_is_restored(S sampler, M mask, zeroth::CpuBackend const& backend, zeroth::DataType dtype,
                                         double epsilon) {
  INFO(std::string(sampler.name()) << ", " << std::string(mask.name()) << ", " << std::string(to_string(dtype)) << ", "
                                   << epsilon << ", " << std::string(to_string(backend.instruction_set())));
  std::vector<float> const values = numbers_of_every_size();
  Shard shard(dtype, values);
  std::vector<std::byte> const before = shard.memory;
  ZerothOrderOptimizer optimizer(shard.parameters, sampler, mask, backend,
                                 Options{.epsilon = epsilon, .samples = 3, .restore = Restore::exact});
  int differ = 0;
  for (int step = 0; step < 2; ++step) {
    auto const report = optimizer.step([&] {
      differ += shard.memory != before ? 1 : 0;
      return std::numeric_limits<double>::quiet_NaN();
    });
    CHECK(report.skipped());
    CHECK((shard.memory == before));
  }
  CHECK(differ == 12);
}

TEST_CASE("exact restore gives back every weight to the bit, whatever its size, type and mask") {
  for (zeroth::InstructionSet set : zeroth::every_instruction_set) {
    if (!zeroth::is_supported(set)) continue;
    zeroth::CpuBackend const backend{{}, set};
    for (zeroth::DataType dtype : {zeroth::DataType::f32, zeroth::DataType::bf16, zeroth::DataType::f16}) {
      for (double epsilon : {1e-5, 1e-3, 1.0}) {
        check_that_every_weight_is_restored(zeroth::Gaussian{}, zeroth::Dense{}, backend, dtype, epsilon);
        check_that_every_weight_is_restored(zeroth::Rademacher{}, zeroth::Dense{}, backend, dtype, epsilon);
        check_that_every_weight_is_restored(zeroth::Gaussian{}, SmallestMagnitude{0.5}, backend, dtype, epsilon);
        check_that_every_weight_is_restored(zeroth::Gaussian{}, zeroth::RandomMask{0.5}, backend, dtype, epsilon);
      }
    }
  }
}

TEST_CASE("exact restore uses the whole range of a byte, and no more") {
  // Perturbed, these weights have units of 256 of their own: their numbers are from -128 to 128.
  std::vector<float> weights = zeroth_test::normal_weights(100 * 128, 3, 1.0F);
  for (float& w : weights) w = std::ldexp(1.0F + std::min(std::abs(w) / 8, 0.99F), -16);
  zeroth_test::Tensors tensors;
  tensors.add("w", weights);
  ZerothOrderOptimizer optimizer(tensors.parameters, zeroth::Rademacher{}, zeroth::Dense{}, zeroth::CpuBackend{},
                                 {.epsilon = 0.005});
  optimizer.step([] { return std::numeric_limits<double>::quiet_NaN(); });
  CHECK((bits(tensors.all()) == bits(weights)));
  std::uint64_t const least = 100 * (128 + 1);
  std::uint64_t const all_copied = least + 100 * 128 * sizeof(float);
  CHECK(optimizer.bytes() > least);
  CHECK(optimizer.bytes() < all_copied);
}

TEST_CASE("exact restore takes a byte per weight, and a copy of the tiles whose weights need one") {
  // Six tiles; each has a byte per element and one for its state.
  std::uint64_t const least = 6 * (128 + 1);
  auto bytes_held = [](float size) {
    zeroth_test::Tensors tensors;
    tensors.add("w", zeroth_test::normal_weights(6 * 128, 1, size));
    ZerothOrderOptimizer optimizer(tensors.parameters, zeroth::Gaussian{}, zeroth::Dense{}, zeroth::CpuBackend{},
                                   {.epsilon = 1e-3, .restore = Restore::exact});
    optimizer.step(zeroth_test::in_place(tensors.parameters, loss));
    return optimizer.bytes();
  };
  CHECK(bytes_held(1.0F) == least);
  CHECK(bytes_held(0.0F) == least);
  CHECK(bytes_held(1e-7F) == least + 6 * 128 * sizeof(float));
}

TEST_CASE("in place the weights stand at the point that the evaluation names") {
  Fixture fixture;
  std::vector<float> const before = fixture.tensors.all();
  Options const options{.epsilon = 0.5, .samples = 2, .restore = Restore::exact};
  ZerothOrderOptimizer optimizer(fixture.parameters(), zeroth::Rademacher{}, zeroth::Dense{}, ReferenceBackend{},
                                 zeroth::Sgd{}, zeroth::OneSided{}, options);
  std::vector<zeroth::Point> seen;
  optimizer.step([&](zeroth::Evaluation const& evaluation) {
    seen.push_back(evaluation.point);
    zeroth::NoiseField<zeroth::Rademacher> const noise{};
    std::vector<float> const now = fixture.tensors.all();
    float const c = 0.5F * static_cast<float>(evaluation.point.sign);
    for (std::size_t i = 0; i < 201; ++i)
      CHECK(now[i] == before[i] + c * noise.value(zeroth::stream_of("blk.0.w"), evaluation.point.sample, i));
    return 1.0;
  });
  CHECK(seen == std::vector<zeroth::Point>{{0, 0}, {0, +1}, {1, +1}});
}

}  // namespace
