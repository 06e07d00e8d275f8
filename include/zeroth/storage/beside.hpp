// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstdint>

#include <zeroth/config.hpp>
#include <zeroth/random/tile.hpp>

namespace zeroth {

/// Memory that a rounding keeps beside the weights of a tensor: bytes_beside(rounding) bytes for each weight, or for
/// each weight that has a place. Not owned.
///
/// A weight without a place has 0 beside it, and what would be put there is dropped.
struct BesideWeights {
  void* data = nullptr;  ///< null: nothing is kept
  /// Two words a tile, from the first tile that the tensor touches, with a bit for each element that has a place; null:
  /// all elements of the tensor have one, in order.
  std::uint64_t const* places = nullptr;
  std::uint32_t const* first_place = nullptr;  ///< of each of those tiles; its places are in order of its elements

  /// Whether element `e` of tile `tile` (counted from the first that the tensor touches) has a place. `places` not
  /// null.
  [[nodiscard]] ZEROTH_HOST_DEVICE bool has_place(std::uint64_t tile, unsigned e) const noexcept {
    return (places[tile * 2 + e / 64] >> (e % 64) & 1U) != 0;
  }

  /// The index of its place.
  [[nodiscard]] ZEROTH_HOST_DEVICE std::uint64_t place(std::uint64_t tile, unsigned e) const noexcept {
    std::uint64_t const below = places[tile * 2 + e / 64] & ((std::uint64_t{1} << (e % 64)) - 1);
    unsigned const before = e < 64 ? 0 : count_bits(places[tile * 2]);
    return first_place[tile] + before + count_bits(below);
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

}  // namespace zeroth
