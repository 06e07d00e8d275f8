// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "support.hpp"

namespace {

using zeroth::Point;
using zeroth_test::Extent;
using zeroth_test::Slice;

std::vector<Point> const lanes = {{0, 0}, {0, +1}, {0, -1}, {2, -1}, {4095, +1}, {2, +1}, {0, 0}};
constexpr float epsilon = 1e-3F;
constexpr float untouched = 12345.0F;

/// The bits of each lane's panel; the memory after a panel must stay untouched.
template <class B, class State, class S>
std::vector<std::uint32_t> expanded(B const& backend, Slice& slice, State const& state,
                                    zeroth::NoiseField<S> const& noise, std::uint64_t first, std::uint64_t count) {
  std::vector<std::vector<float>> panels(lanes.size(), std::vector<float>(count + 1, untouched));
  std::vector<float*> pointers;
  for (std::vector<float>& panel : panels) pointers.push_back(panel.data());
  backend.expand(slice.parameter, state.tensor(0, 0), noise, lanes, epsilon, first, count, pointers);
  std::vector<std::uint32_t> result;
  for (std::vector<float> const& panel : panels) {
    CHECK(panel.back() == untouched);
    for (std::uint32_t b : zeroth_test::bits(panel)) result.push_back(b);
  }
  return result;
}

/// Parts of a tensor: all of it, and odd beginnings and ends.
std::vector<std::pair<std::uint64_t, std::uint64_t>> parts(std::uint64_t size) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> result = {{0, size}, {0, 0}};
  for (std::uint64_t first : {1U, 13U, 51U, 128U})
    for (std::uint64_t count : {1U, 77U, 128U, 255U})
      if (first + count <= size) result.emplace_back(first, count);
  return result;
}

template <class State, class S>
void check_expand(Slice& slice, State const& state, S const& sampler) {
  zeroth::NoiseField<S> const noise{sampler, 0x0123456789abcdefU, 41};
  auto const before = slice.memory();
  for (auto [first, count] : parts(slice.parameter.size())) {
    auto const expected = expanded(zeroth::ReferenceBackend{}, slice, state, noise, first, count);
    zeroth_test::for_each_backend([&, first = first, count = count](auto const& backend, std::string const& name) {
      INFO(name << ", elements " << first << " to " << first + count << ", offset " << slice.parameter.offset << ", "
                << to_string(slice.parameter.dtype));
      CHECK(expanded(backend, slice, state, noise, first, count) == expected);
    });
  }
  CHECK(slice.memory() == before);
}

TEST_CASE("expand gives the reference's bits with every sampler") {
  for (Extent const& extent : zeroth_test::extents()) {
    for (zeroth::DataType dtype : zeroth_test::every_dtype) {
      Slice slice(extent.size, extent.offset, dtype);
      auto const state = zeroth_test::mask_of(zeroth::SmallestMagnitude{0.25}, slice.parameter);
      zeroth_test::for_each_sampler([&](auto const& sampler) { check_expand(slice, state, sampler); });
    }
  }
}

TEST_CASE("expand gives the reference's bits with every mask") {
  for (Extent const& extent : {Extent{256, 0}, Extent{517, 333}}) {
    for (zeroth::DataType dtype : zeroth_test::every_dtype) {
      Slice slice(extent.size, extent.offset, dtype);
      zeroth_test::for_each_mask(slice.parameter, [&](auto const& state, char const* name) {
        INFO(name);
        check_expand(slice, state, zeroth::Gaussian{});
      });
    }
  }
}

TEST_CASE("expand gives theta's own bits where the mask leaves it out") {
  Slice slice(300, 64);
  std::fill_n(slice.data(), 300, -0.0F);
  slice.data()[7] = 1.0F;
  auto const state = zeroth_test::mask_of(zeroth::LargestMagnitude{0.999}, slice.parameter);
  std::vector<float> panel(300);
  float* const pointer = panel.data();
  Point const lane{0, +1};
  zeroth::NoiseField<zeroth::Gaussian> const noise{{}, 1, 0};
  auto check = [&](auto const& backend, std::string const& name) {
    INFO(name);
    backend.expand(slice.parameter, state.tensor(0, 0), noise, std::span(&lane, 1), epsilon, 0, 300,
                   std::span(&pointer, 1));
    CHECK(panel[7] != 1.0F);
    panel[7] = -0.0F;
    CHECK(zeroth_test::bits(panel) == std::vector<std::uint32_t>(300, 0x80000000U));
  };
  check(zeroth::ReferenceBackend{}, "reference");
  zeroth_test::for_each_backend(check);
}

}  // namespace
