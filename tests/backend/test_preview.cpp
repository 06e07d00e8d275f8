// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support.hpp"

namespace {

using zeroth::ElementwisePass;
using zeroth::NoiseTerm;
using zeroth::Rounding;
using zeroth_test::bits;
using zeroth_test::Slice;

std::vector<NoiseTerm> const one = {{20000, 0, -3e-4F}};
std::vector<NoiseTerm> const two = {{20000, 0, -3e-4F}, {19990, 7, 2e-4F}};

std::vector<ElementwisePass> passes() {
  return {{}, {.terms = one}, {.decay = 0.01F, .terms = two}};
}

/// The slice after the reference backend's `apply`, in f32.
template <class State, class S>
std::vector<std::uint32_t> applied(Slice slice, State const& state, zeroth::NoiseField<S> const& noise,
                                   ElementwisePass pass, std::vector<std::byte> remainders) {
  pass.remainders.data = remainders.empty() ? nullptr : remainders.data();
  zeroth::ReferenceBackend{}.apply(slice.parameter, nullptr, state.tensor(0, 0), noise, pass);
  std::vector<float> result(static_cast<std::size_t>(slice.parameter.size()));
  zeroth::ReferenceBackend{}.read(slice.parameter, 0, result);
  return bits(result);
}

/// The results of `preview`, requested in panels of that many elements.
template <class B, class State, class S>
std::vector<std::uint32_t> previewed(B const& backend, Slice const& slice, State const& state,
                                     zeroth::NoiseField<S> const& noise, ElementwisePass const& pass,
                                     std::uint64_t panel) {
  std::uint64_t const size = slice.parameter.size();
  std::vector<float> result(static_cast<std::size_t>(size));
  for (std::uint64_t first = 0; first < size; first += panel)
    backend.preview(slice.parameter, state.tensor(0, 0), noise, pass, first, std::min(panel, size - first),
                    result.data() + first);
  return bits(result);
}

template <class State, class S>
void check_preview(Slice const& slice, State const& state, S const& sampler) {
  zeroth::NoiseField<S> const noise{sampler, 99, 20000};
  std::vector<std::byte> const before = slice.memory();
  bool const is_f32 = slice.parameter.dtype == zeroth::DataType::f32;
  for (Rounding rounding : {Rounding::nearest, Rounding::stochastic, Rounding::compensated, Rounding::extra_byte}) {
    if (is_f32 && rounding != Rounding::nearest) continue;  // f32 weights are not rounded
    for (ElementwisePass pass : passes()) {
      pass.rounding = rounding;
      std::vector<std::byte> remainders(slice.parameter.size() * zeroth::remainder_bytes(rounding));
      for (std::size_t i = 0; i < remainders.size(); ++i)
        remainders[i] = static_cast<std::byte>(i % 2 == 0 ? i * 37 : 0xb7);
      std::vector<std::byte> const remainders_before = remainders;
      std::vector<std::uint32_t> const expected = applied(slice, state, noise, pass, remainders);
      pass.remainders.data = remainders.empty() ? nullptr : remainders.data();
      auto check = [&](auto const& backend, std::string const& name) {
        INFO(name << ", " << slice.parameter.size() << " elements at " << slice.parameter.offset << ", "
                  << to_string(slice.parameter.dtype) << ", " << to_string(rounding));
        CHECK(previewed(backend, slice, state, noise, pass, slice.parameter.size()) == expected);
        CHECK(previewed(backend, slice, state, noise, pass, 37) == expected);
        CHECK(slice.memory() == before);
        CHECK(remainders == remainders_before);
      };
      check(zeroth::ReferenceBackend{}, "reference");
      zeroth_test::for_each_backend(check);
    }
  }
}

TEST_CASE("preview gives the bits that apply leaves, with every sampler, and writes no weight") {
  for (zeroth_test::Extent const& extent : zeroth_test::extents())
    for (zeroth::DataType dtype : zeroth_test::every_dtype) {
      Slice const slice(extent.size, extent.offset, dtype);
      auto const state = zeroth_test::mask_of(zeroth::SmallestMagnitude{0.25}, slice.parameter);
      zeroth_test::for_each_sampler([&](auto const& sampler) { check_preview(slice, state, sampler); });
    }
}

TEST_CASE("preview gives the bits that apply leaves, with every mask") {
  for (zeroth::DataType dtype : zeroth_test::every_dtype) {
    Slice const slice(517, 333, dtype);
    zeroth_test::for_each_mask(slice.parameter, [&](auto const& state, char const* name) {
      INFO(name);
      check_preview(slice, state, zeroth::Gaussian{});
    });
  }
}

}  // namespace
