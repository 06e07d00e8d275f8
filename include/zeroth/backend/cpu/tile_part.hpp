// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <zeroth/mask/mask.hpp>
#include <zeroth/random/tile.hpp>

namespace zeroth::ZEROTH_ISA {

namespace detail {

/// The part of a tile that lies within a range of elements.
struct TilePart {
  std::uint64_t tile;
  std::uint64_t position;  ///< index of the part's first element, counted from the start of the range
  unsigned begin;          ///< index of the part's first element within the tile
  unsigned size;

  [[nodiscard]] bool is_whole() const noexcept { return size == tile_size; }

  /// A bit for each element of the part.
  [[nodiscard]] TileMask bits() const noexcept {
    auto below = [](unsigned n) { return n >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1; };
    unsigned const end = begin + size;
    return {{below(end) & ~below(begin), end <= 64 ? 0 : below(end - 64) & ~(begin <= 64 ? 0 : below(begin - 64))}};
  }
};

/// Loads elements of T from `at` on to the places of the part within a tile; zeros elsewhere.
template <class T>
void load_part(void const* memory, std::uint64_t at, TilePart const& part, T* tile) noexcept {
  if (!part.is_whole()) std::fill_n(tile, tile_size, T{});
  std::memcpy(tile + part.begin, static_cast<std::byte const*>(memory) + at * sizeof(T), part.size * sizeof(T));
}
template <class T>
void store_part(T const* tile, TilePart const& part, void* memory, std::uint64_t at) noexcept {
  std::memcpy(static_cast<std::byte*>(memory) + at * sizeof(T), tile + part.begin, part.size * sizeof(T));
}

/// Calls body(TilePart) for each tile that elements [first, first + count) of a tensor touch, in order.
template <class Body>
void for_each_tile(std::uint64_t first, std::uint64_t count, Body&& body) {
  std::uint64_t position = 0;
  while (position < count) {
    std::uint64_t const element = first + position;
    auto const begin = static_cast<unsigned>(element % tile_size);
    auto const size = static_cast<unsigned>(std::min<std::uint64_t>(tile_size - begin, count - position));
    body(TilePart{element / tile_size, position, begin, size});
    position += size;
  }
}

}  // namespace detail

}  // namespace zeroth::ZEROTH_ISA
