// SPDX-License-Identifier: MIT
#include <bit>
#include <cstdint>
#include <vector>

#include "support.hpp"

namespace {

using zeroth_test::Extent;
using zeroth_test::Slice;

template <class B, class State>
std::vector<std::uint64_t> mask_words(B const& backend, zeroth::Parameter const& tensor, State const& state) {
  zeroth::Bitmap bitmap(tensor);
  // Bits from an earlier step must disappear.
  for (std::uint64_t& word : bitmap.words()) word = 0xaaaa'aaaa'aaaa'aaaaU;
  backend.mask_bits(tensor, state.tensor(0, 0), bitmap.words());
  return bitmap.words();
}

TEST_CASE("mask_bits gives the reference's bits, and none outside the tensor") {
  std::vector<Extent> extents = zeroth_test::extents();
  extents.push_back(zeroth_test::several_chunks);
  for (Extent const& extent : extents) {
    for (zeroth::DataType dtype : zeroth_test::every_dtype) {
      Slice slice(extent.size, extent.offset, dtype);
      zeroth_test::for_each_mask(slice.parameter, [&](auto const& state, char const* mask_name) {
        auto const expected = mask_words(zeroth::ReferenceBackend{}, slice.parameter, state);
        std::uint64_t set = 0;
        for (std::uint64_t word : expected) set += static_cast<std::uint64_t>(std::popcount(word));
        CHECK(set <= extent.size);
        zeroth_test::for_each_backend([&](auto const& backend, std::string const& name) {
          INFO(name << ", mask " << mask_name << ", " << extent.size << " elements at " << extent.offset << ", "
                    << to_string(dtype));
          CHECK(mask_words(backend, slice.parameter, state) == expected);
        });
      });
    }
  }
}

TEST_CASE("mask_bits sets the bit of each active weight") {
  std::vector<float> weights(130, 1.0F);
  weights[0] = weights[3] = weights[129] = 0.0F;
  zeroth::Parameter const tensor{"w", zeroth::Role::matrix, {1, 130}, zeroth::DataType::f32, weights.data(), 0, 126};
  auto const state = zeroth_test::mask_of(zeroth::SmallestMagnitude{0.99}, tensor);
  // Elements 126, 129 and 255 of the whole tensor; the words begin at tile 0.
  std::vector<std::uint64_t> const expected = {0, std::uint64_t{1} << 62, 2, std::uint64_t{1} << 63};
  CHECK(mask_words(zeroth::ReferenceBackend{}, tensor, state) == expected);
  zeroth_test::for_each_backend([&](auto const& backend, std::string const& name) {
    INFO(name);
    CHECK(mask_words(backend, tensor, state) == expected);
  });
}

}  // namespace
