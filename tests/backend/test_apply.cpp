// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "support.hpp"

namespace {

using zeroth::ElementwisePass;
using zeroth::NoiseTerm;
using zeroth_test::Extent;
using zeroth_test::Slice;

std::vector<NoiseTerm> const restore = {{0, 1e-3F}};
std::vector<NoiseTerm> const one = {{0, -3e-4F}};
std::vector<NoiseTerm> const three = {{0, -3e-4F}, {7, 2e-4F}, {4095, 5e-3F}};
std::vector<NoiseTerm> const cancelling = {{1, 0.25F}, {1, -0.25F}};  // a direction of 0

std::vector<ElementwisePass> passes() {
  return {{},
          {restore, 0, {}, false, 0},
          {{}, 0, one, false, 0},
          {{}, 0.01F, {}, false, 0},
          {restore, 0.01F, three, false, 0},
          {{}, 0, one, true, 1e-4F},
          {restore, 0.01F, three, true, 1e-4F},
          {{}, 0, cancelling, true, 1e-4F}};
}

/// The memory and the number of active weights after a pass; `source` stands in for the weights if it is not null.
template <class B, class State, class S>
std::pair<std::vector<std::uint32_t>, std::uint64_t> applied(B const& backend, Slice slice, float const* source,
                                                             State const& state, zeroth::NoiseField<S> const& noise,
                                                             ElementwisePass const& pass) {
  std::uint64_t const active = backend.apply(slice.parameter, source, state.tensor(0, 0), noise, pass);
  return {slice.memory_bits(), active};
}

template <class State, class S>
void check_apply(Slice const& slice, State const& state, S const& sampler) {
  zeroth::NoiseField<S> const noise{sampler, 99, 20000};
  std::vector<float> const other = zeroth_test::normal_weights(slice.parameter.size(), 5);
  for (ElementwisePass const& pass : passes())
    for (float const* source : {static_cast<float const*>(nullptr), other.data()}) {
      auto const expected = applied(zeroth::ReferenceBackend{}, slice, source, state, noise, pass);
      zeroth_test::for_each_backend([&](auto const& backend, std::string const& name) {
        INFO(name << ", " << slice.parameter.size() << " elements at " << slice.parameter.offset);
        CHECK((applied(backend, slice, source, state, noise, pass) == expected));
      });
    }
}

TEST_CASE("apply gives the reference's bits with every sampler") {
  for (Extent const& extent : zeroth_test::extents()) {
    Slice const slice(extent.size, extent.offset);
    auto const state = zeroth_test::mask_of(zeroth::SmallestMagnitude{0.25}, slice.parameter);
    zeroth_test::for_each_sampler([&](auto const& sampler) { check_apply(slice, state, sampler); });
  }
}

TEST_CASE("apply gives the reference's bits with every mask") {
  for (Extent const& extent : {Extent{256, 0}, Extent{517, 333}}) {
    Slice const slice(extent.size, extent.offset);
    zeroth_test::for_each_mask(slice.parameter, [&](auto const& state, char const* name) {
      INFO(name);
      check_apply(slice, state, zeroth::Gaussian{});
    });
  }
}

TEST_CASE("apply gives the reference's bits however the executor shares the work") {
  Slice const slice(zeroth_test::several_chunks.size, zeroth_test::several_chunks.offset);
  zeroth::NoiseField<zeroth::Gaussian> const noise{{}, 99, 20000};
  auto const state = zeroth_test::mask_of(zeroth::SmallestMagnitude{}, slice.parameter);
  ElementwisePass const pass = passes()[4];
  auto const expected = applied(zeroth::ReferenceBackend{}, slice, nullptr, state, noise, pass);
  CHECK(expected.second > slice.parameter.size() / 4);
  zeroth_test::for_each_backend([&](auto const& backend, std::string const& name) {
    INFO(name);
    CHECK((applied(backend, slice, nullptr, state, noise, pass) == expected));
  });
}

TEST_CASE("apply does what the pass says, in its order") {
  float weight = 2;
  zeroth::Parameter const tensor{"w", zeroth::Role::matrix, {1, 1}, zeroth::DataType::f32, &weight, 0, 0};
  zeroth::NoiseField<zeroth::Rademacher> const noise{{}, 1, 0};
  zeroth::TensorMask<zeroth::Dense::Rule> const dense{zeroth::Coverage::all, {}};
  float const z0 = noise.value(0, 0, 0);
  float const z1 = noise.value(0, 1, 0);
  std::vector<NoiseTerm> const back = {{0, 0.5F}};
  std::vector<NoiseTerm> const terms = {{0, 0.25F}, {1, 2.0F}};
  auto check = [&](auto const& backend, std::string const& name) {
    INFO(name);
    weight = 2;
    CHECK(backend.apply(tensor, nullptr, dense, noise, {back, 0.125F, terms, false, 0}) == 1);
    CHECK(weight == (2 + 0.5F * z0) * (1 - 0.125F) + 0.25F * z0 + 2 * z1);
    weight = 2;
    backend.apply(tensor, nullptr, dense, noise, {back, 0.125F, terms, true, 8});
    CHECK(weight == (2 + 0.5F * z0) * (1 - 0.125F) + (z1 > 0 ? 8 : -8));
  };
  check(zeroth::ReferenceBackend{}, "reference");
  zeroth_test::for_each_backend(check);
}

TEST_CASE("apply leaves the bits of inactive weights") {
  Slice slice(300, 64);
  std::fill_n(slice.data(), 300, -0.0F);
  auto const before = slice.memory_bits();
  auto const state = zeroth_test::mask_of(zeroth_test::ThirdsBelow{-1.0F}, slice.parameter);
  zeroth::NoiseField<zeroth::Gaussian> const noise{{}, 1, 0};
  auto check = [&](auto const& backend, std::string const& name) {
    INFO(name);
    for (ElementwisePass const& pass : passes())
      CHECK((applied(backend, slice, nullptr, state, noise, pass) == std::pair{before, std::uint64_t{0}}));
  };
  check(zeroth::ReferenceBackend{}, "reference");
  zeroth_test::for_each_backend(check);
}

}  // namespace
