// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <zeroth/update/adam.hpp>
#include <zeroth/update/momentum.hpp>
#include <zeroth/update/sign_sgd.hpp>

#include "support.hpp"

namespace {

using zeroth::ElementwisePass;
using zeroth::NoiseTerm;
using zeroth::Rounding;
using zeroth_test::Slice;

std::vector<NoiseTerm> const restore = {{20, 0, 1e-3F}};
std::vector<NoiseTerm> const one = {{20, 0, 3.0F}};
std::vector<NoiseTerm> const two = {{20, 0, -0.3F}, {19, 7, 0.2F}};

std::vector<ElementwisePass> passes() {
  return {{.terms = one}, {.restore = restore, .decay = 0.01F, .terms = two}};
}

/// A user's rule with four values per weight.
struct Four {
  float scale = 0;
  ZEROTH_HOST_DEVICE float operator()(float theta, float direction, zeroth::Array<float, 4>& state) const {
    for (std::size_t k = 3; k > 0; --k) state[k] = state[k - 1];
    state[0] = direction;
    return std::fma(scale, state[3] + state[2], theta);
  }
};

/// The results of two successive updates: the tensor's memory, the state, the remainders, the active weights.
struct Updated {
  std::vector<std::byte> memory;
  std::vector<std::uint32_t> state;
  std::vector<std::byte> remainders;
  std::uint64_t active = 0;
  bool operator==(Updated const&) const = default;
};

template <class B, class State, class S, class R>
Updated updated(B const& backend, Slice slice, State const& masks, S const& sampler, ElementwisePass pass,
                R const& rule) {
  std::vector<float> state = zeroth_test::normal_weights(slice.parameter.size() * zeroth::state_floats<R>, 3, 0.5F);
  for (float& value : state) value = std::abs(value);  // a second moment is not negative
  std::vector<std::byte> remainders(slice.parameter.size() * zeroth::remainder_bytes(pass.rounding));
  pass.remainders.data = remainders.empty() ? nullptr : remainders.data();
  Updated result;
  for (std::uint32_t step : {20U, 21U}) {
    zeroth::NoiseField<S> const noise{sampler, 99, step};
    result.active += backend.apply_rule(slice.parameter, nullptr, masks.tensor(0, 0), noise, pass, rule, state.data());
  }
  result.memory = slice.memory();
  result.state = zeroth_test::bits(state);
  result.remainders = std::move(remainders);
  return result;
}

template <class State, class S, class R>
void check_rule(Slice const& slice, State const& masks, S const& sampler, R const& rule) {
  bool const is_f32 = slice.parameter.dtype == zeroth::DataType::f32;
  for (Rounding rounding : {Rounding::nearest, Rounding::stochastic, Rounding::compensated, Rounding::extra_byte}) {
    if (is_f32 && rounding != Rounding::nearest) continue;  // f32 weights are not rounded
    for (ElementwisePass pass : passes()) {
      pass.rounding = rounding;
      Updated const expected = updated(zeroth::ReferenceBackend{}, slice, masks, sampler, pass, rule);
      zeroth_test::for_each_backend([&](auto const& backend, std::string const& name) {
        INFO(name << ", " << slice.parameter.size() << " elements at " << slice.parameter.offset << ", "
                  << to_string(slice.parameter.dtype) << ", " << to_string(rounding));
        CHECK((updated(backend, slice, masks, sampler, pass, rule) == expected));
      });
    }
  }
}

template <class State, class S>
void check_rules(Slice const& slice, State const& masks, S const& sampler) {
  check_rule(slice, masks, sampler, zeroth::SignRule{1e-3F});
  check_rule(slice, masks, sampler, zeroth::MomentumRule{0.9F, 1e-3F});
  check_rule(slice, masks, sampler, zeroth::Adam{}.rule(1e-3F, 3));
  check_rule(slice, masks, sampler, zeroth::AdaMm{}.rule(1e-3F, 3));
  check_rule(slice, masks, sampler, Four{-0.01F});
}

#if !defined(__CUDACC__)
TEST_CASE("the weights that a GPU is tested on make no NaN, whatever the rule") {
  for (zeroth::DataType dtype : zeroth_test::every_dtype) {
    Slice const slice(517, 333, dtype, 17, zeroth_test::Specials::without_nans);
    auto const masks = zeroth_test::mask_of(zeroth::Dense{}, slice.parameter);
    auto check = [&](auto const& rule) {
      for (Rounding rounding : {Rounding::nearest, Rounding::stochastic, Rounding::compensated, Rounding::extra_byte}) {
        for (ElementwisePass pass : passes()) {
          pass.rounding = rounding;
          Updated const found = updated(zeroth::ReferenceBackend{}, slice, masks, zeroth::Gaussian{}, pass, rule);
          CHECK_FALSE(zeroth_test::has_nan(found.memory, dtype));
          for (std::uint32_t bits : found.state) CHECK_FALSE(std::isnan(zeroth::float_of(bits)));
        }
      }
    };
    check(zeroth::SignRule{1e-3F});
    check(zeroth::MomentumRule{0.9F, 1e-3F});
    check(zeroth::Adam{}.rule(1e-3F, 3));
    check(zeroth::AdaMm{}.rule(1e-3F, 3));
    check(Four{-0.01F});
  }
}
#endif

TEST_CASE("apply_rule gives the reference's bits with every sampler") {
  for (zeroth_test::Extent const& extent : zeroth_test::extents())
    for (zeroth::DataType dtype : zeroth_test::every_dtype) {
      Slice const slice(extent.size, extent.offset, dtype);
      auto const masks = zeroth_test::mask_of(zeroth::SmallestMagnitude{0.25}, slice.parameter);
      check_rules(slice, masks, zeroth::Gaussian{});
      check_rules(slice, masks, zeroth::Rademacher{});
      auto const few = zeroth_test::mask_of(zeroth::SmallestMagnitude{0.95}, slice.parameter);
      check_rule(slice, few, zeroth::Rademacher{}, Four{-0.01F});
    }
}

TEST_CASE("apply_rule gives the reference's bits with every mask") {
  Slice const slice(517, 333);
  zeroth_test::for_each_mask(slice.parameter, [&](auto const& masks, char const* name) {
    INFO(name);
    check_rules(slice, masks, zeroth::Uniform{});
  });
}

TEST_CASE("apply_rule gives the reference's bits however the executor shares the work") {
  Slice const slice(zeroth_test::several_chunks.size, zeroth_test::several_chunks.offset);
  auto const masks = zeroth_test::mask_of(zeroth::SmallestMagnitude{}, slice.parameter);
  check_rule(slice, masks, zeroth::Gaussian{}, zeroth::Adam{}.rule(1e-3F, 1));
}

TEST_CASE(
    "apply_rule does what the rule says of the direction, and leaves weight and state where the mask is not active") {
  std::vector<float> weights = {2, 3};
  zeroth::Parameter const tensor{"w", zeroth::Role::matrix, {1, 2}, zeroth::DataType::f32, weights.data(), 0, 0};
  zeroth::NoiseField<zeroth::Rademacher> const noise{{}, 1, 0};
  zeroth::TensorMask<zeroth_test::ThirdsBelow> const mask{zeroth::Coverage::some, {100}};  // not element 0
  float const z0 = noise.value(0, 0, 1);
  float const z7 = noise.value(0, 7, 1);
  std::vector<NoiseTerm> const terms = {{0, 0, 0.25F}, {0, 7, 2.0F}};
  auto check = [&](auto const& backend, std::string const& name) {
    INFO(name);
    weights = {2, 3};
    std::vector<float> state = {5, 8};
    ElementwisePass const pass{.decay = 0.5F, .terms = terms};
    CHECK(backend.apply_rule(tensor, nullptr, mask, noise, pass, zeroth::MomentumRule{0.5F, 0.125F}, state.data()) ==
          1);
    float const m = 4 + 0.25F * z0 + 2 * z7;
    CHECK(state == std::vector<float>{5, m});
    CHECK(weights == std::vector<float>{2, 1.5F - 0.125F * m});
  };
  check(zeroth::ReferenceBackend{}, "reference");
  zeroth_test::for_each_backend(check);
}

}  // namespace
