// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include <zeroth/config.hpp>
#include <zeroth/numeric/array.hpp>
#include <zeroth/random/tile.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/storage/data_type.hpp>
#include <zeroth/storage/narrow.hpp>
#include <zeroth/storage/widen.hpp>

namespace zeroth::ZEROTH_ISA::cuda {

/// How the threads of a grid share the elements [first, first + count) of a tensor: at least 16 threads per tile, so
/// that each thread's elements come from one random block. Thread i of a tile has elements i, i + threads, i + 2
/// threads, ...: a warp reads and writes whole sectors of memory, and a thread's reads do not wait for each other.
template <Sampler S>
struct TileShare {
  static constexpr unsigned blocks = tile_size / values_per_block<S>;    ///< random blocks per tile
  static constexpr unsigned threads = blocks < 16 ? 16 : blocks;         ///< threads per tile
  static constexpr std::size_t size = std::size_t{tile_size} / threads;  ///< elements per thread

  using Floats = Array<float, size>;
  using Words = Array<std::uint32_t, size>;

  std::uint64_t first;  ///< index in the whole tensor
  std::uint64_t count;
  std::uint64_t tile;
  unsigned thread;

  /// @param global index of the thread within the grid
  ZEROTH_HOST_DEVICE TileShare(std::uint64_t first_element, std::uint64_t elements, std::uint64_t global) noexcept
      : first(first_element),
        count(elements),
        tile(first_element / tile_size + global / threads),
        thread(static_cast<unsigned>(global % threads)) {}

  /// Threads that a range needs.
  [[nodiscard]] static std::uint64_t threads_of(std::uint64_t first_element, std::uint64_t elements) noexcept {
    return (first_element % tile_size + elements + tile_size - 1) / tile_size * threads;
  }

  /// The most threads that any range of that length needs.
  [[nodiscard]] static std::uint64_t most_threads_of(std::uint64_t elements) noexcept {
    return threads_of(tile_size - 1, elements);
  }

  /// The thread's j-th element: within its tile, within the whole tensor, and counted from `first`.
  [[nodiscard]] ZEROTH_HOST_DEVICE unsigned within(std::size_t j) const noexcept {
    return thread + threads * static_cast<unsigned>(j);
  }
  [[nodiscard]] ZEROTH_HOST_DEVICE std::uint64_t element(std::size_t j) const noexcept {
    return tile * tile_size + within(j);
  }
  [[nodiscard]] ZEROTH_HOST_DEVICE std::uint64_t position(std::size_t j) const noexcept { return element(j) - first; }
  /// Whether the element lies in the range; before `first` the position wraps around.
  [[nodiscard]] ZEROTH_HOST_DEVICE bool has(std::size_t j) const noexcept { return position(j) < count; }

  /// The noise of a sample at each of the thread's elements: one random block.
  ZEROTH_CALLS_USERS_CODE
  [[nodiscard]] ZEROTH_HOST_DEVICE Floats noise(NoiseField<S> const& field, std::uint32_t stream,
                                                std::uint32_t sample) const {
    RandomBlock const bits = field.source(stream, sample).block(tile * blocks + thread % blocks);
    Floats z;
    if constexpr (requires { field.sampler.value(bits, 0U); }) {
      for (std::size_t j = 0; j < size; ++j) z[j] = field.sampler.value(bits, within(j) / blocks);
    } else {
      auto const values = field.sampler(bits);
      // If a thread has a block of its own, value j is element j's, which the compiler then knows.
      for (std::size_t j = 0; j < size; ++j) z[j] = values[threads == blocks ? j : within(j) / blocks];
    }
    return z;
  }

  /// The weights as they are stored, 0 outside the range; `memory` begins at the range's first element.
  [[nodiscard]] ZEROTH_HOST_DEVICE Words load(DataType dtype, void const* memory) const noexcept {
    Words words;
    if (dtype == DataType::f32) {
      for (std::size_t j = 0; j < size; ++j)
        words[j] = has(j) ? static_cast<std::uint32_t const*>(memory)[position(j)] : 0;
    } else {
      for (std::size_t j = 0; j < size; ++j)
        words[j] = has(j) ? static_cast<std::uint16_t const*>(memory)[position(j)] : std::uint16_t{0};
    }
    return words;
  }

  [[nodiscard]] ZEROTH_HOST_DEVICE static Floats values(DataType dtype, Words const& words) noexcept {
    Floats result;
    for (std::size_t j = 0; j < size; ++j)
      result[j] = dtype == DataType::f32 ? float_of(words[j]) : widen(dtype, static_cast<std::uint16_t>(words[j]));
    return result;
  }

  /// Rounds to nearest, if the memory holds 16-bit values, and stores the values that lie in the range.
  ZEROTH_HOST_DEVICE void store(DataType dtype, Floats const& floats, void* memory) const noexcept {
    if (dtype == DataType::f32) {
      for (std::size_t j = 0; j < size; ++j)
        if (has(j)) static_cast<float*>(memory)[position(j)] = floats[j];
    } else {
      for (std::size_t j = 0; j < size; ++j)
        if (has(j)) static_cast<std::uint16_t*>(memory)[position(j)] = narrow(dtype, floats[j]);
    }
  }
};

}  // namespace zeroth::ZEROTH_ISA::cuda
