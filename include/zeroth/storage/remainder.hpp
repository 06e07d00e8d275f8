// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <zeroth/config.hpp>
#include <zeroth/random/tile.hpp>

namespace zeroth::ZEROTH_ISA {

/// The part of a tensor's values that its 16-bit weights cannot hold and that a rounding keeps for the next update:
/// remainder_bytes(rounding) bytes per weight, or per weight that has a place. Not owned.
///
/// The remainder of a weight without a place is 0, and a new one is dropped.
struct Remainders {
  /// Tiles that share one entry of `group_place`: as many as let 16 bits count the places before the last tile.
  static constexpr std::uint64_t tiles_per_group = 512;

  void* data = nullptr;  ///< null: nothing is kept
  /// Two words per tile, from the first tile that the tensor touches, with a bit for each element that has a place;
  /// null: all elements of the tensor have one, in order.
  std::uint64_t const* places = nullptr;
  std::uint64_t const* group_place = nullptr;  ///< first place of each group of those tiles
  std::uint16_t const* first_place = nullptr;  ///< first place of each tile, counted from its group's; in element order

  /// Whether element `e` of tile `tile` (counted from the first that the tensor touches) has a place. Requires
  /// `places`.
  [[nodiscard]] ZEROTH_HOST_DEVICE bool has_place(std::uint64_t tile, unsigned e) const noexcept {
    return (places[tile * 2 + e / 64] >> (e % 64) & 1U) != 0;
  }

  /// The index of the first place of a tile.
  [[nodiscard]] ZEROTH_HOST_DEVICE std::uint64_t first_place_of(std::uint64_t tile) const noexcept {
    return group_place[tile / tiles_per_group] + first_place[tile];
  }

  /// The index of an element's place.
  [[nodiscard]] ZEROTH_HOST_DEVICE std::uint64_t place(std::uint64_t tile, unsigned e) const noexcept {
    std::uint64_t const below = places[tile * 2 + e / 64] & ((std::uint64_t{1} << (e % 64)) - 1);
    unsigned const before = e < 64 ? 0 : count_bits(places[tile * 2]);
    return first_place_of(tile) + before + count_bits(below);
  }

 private:
  [[nodiscard]] ZEROTH_HOST_DEVICE static unsigned count_bits(std::uint64_t word) noexcept {
#if defined(__CUDA_ARCH__)
    return static_cast<unsigned>(__popcll(word));
#else
    return static_cast<unsigned>(std::popcount(word));
#endif
  }
};
static_assert((Remainders::tiles_per_group - 1) * tile_size <= 0xffffU);

/// Where each tile's places begin, computed from the bits that say which weights have one: 2 bytes per tile and 8 per
/// group of tiles, however many weights there are.
struct PlaceIndex {
  std::vector<std::uint64_t> group_place;
  std::vector<std::uint16_t> first_place;
  std::uint64_t end = 0;  ///< the index after the last place

  /// @param words two per tile, see Remainders::places
  /// @param first index of the first place
  explicit PlaceIndex(std::span<std::uint64_t const> words, std::uint64_t first = 0) : end(first) {
    std::uint64_t const tiles = words.size() / 2;
    group_place.reserve(
        static_cast<std::size_t>((tiles + Remainders::tiles_per_group - 1) / Remainders::tiles_per_group));
    first_place.reserve(static_cast<std::size_t>(tiles));
    for (std::size_t tile = 0; tile < tiles; ++tile) {
      if (tile % Remainders::tiles_per_group == 0) group_place.push_back(end);
      first_place.push_back(static_cast<std::uint16_t>(end - group_place.back()));
      end += static_cast<std::uint64_t>(std::popcount(words[tile * 2]) + std::popcount(words[tile * 2 + 1]));
    }
  }

  /// Bytes of both lists.
  [[nodiscard]] std::size_t bytes() const noexcept {
    return std::span(group_place).size_bytes() + std::span(first_place).size_bytes();
  }
};

}  // namespace zeroth::ZEROTH_ISA
