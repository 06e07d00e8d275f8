// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// Elements per tile. Random blocks are assigned to elements tile by tile, and masks are computed one tile at a time.
inline constexpr unsigned tile_size = 128;

/// The place of an element's value in the random stream.
struct BlockPosition {
  std::uint64_t block;  ///< index of the random block within the stream
  unsigned value;       ///< which of the values that the block yields

  bool operator==(BlockPosition const&) const = default;
};

/// Lays out values over blocks that yield `values_per_block` values each.
///
/// A tile needs B = 128 / values_per_block blocks. Element e of tile t takes value e / B of block t B + e mod B:
/// neighbouring elements come from neighbouring blocks, so vector lanes and GPU threads that work on one block each
/// write whole vectors, and the layout does not depend on any vector width.
///
/// @tparam values_per_block a power of two, at most 128
/// @param element index of the element within the whole tensor
template <unsigned values_per_block>
[[nodiscard]] ZEROTH_HOST_DEVICE constexpr BlockPosition block_position(std::uint64_t element) noexcept {
  static_assert(values_per_block >= 1 && tile_size % values_per_block == 0,
                "a random block must yield 1, 2, 4, ..., or 128 values");
  constexpr unsigned blocks = tile_size / values_per_block;
  auto const within = static_cast<unsigned>(element % tile_size);
  return {element / tile_size * blocks + within % blocks, within / blocks};
}

}  // namespace zeroth::ZEROTH_ISA
