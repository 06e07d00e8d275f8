// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <zeroth/random/tile.hpp>

namespace zeroth::ZEROTH_ISA {

/// A multiple of the noise of one sample of a step.
struct NoiseTerm {
  std::uint32_t step = 0;
  std::uint32_t sample = 0;
  float coefficient = 0;
};

/// Gives back the weights t of a tensor from the perturbed ones, t' = fma(c, z, t) rounded to the tensor's type, to the
/// bit, in one byte per weight. Not owned.
///
/// t' - c z misses t by the rounding of t', a few units in the last place of t unless t is much smaller than c z. That
/// number of units is kept. Where it does not fit a byte, the weights of the whole tile are kept instead: at
/// |c z| = 1e-3, for a tile with a weight below 1e-5.
struct Corrections {
  /// What lies in the tensor's memory, for one tile.
  enum class State : std::uint8_t { unperturbed, with_first_term, with_second_term, with_copy };

  /// In place of a number of units: the weight was inactive.
  static constexpr std::int8_t untouched = 127;

  /// Units to add to t' - c z, counted along the numbers of the tensor's type; tile_size per tile, from the first tile
  /// that the tensor touches. Of a tile with a copy, the first four bytes are the copy's index.
  std::int8_t* units = nullptr;
  State* states = nullptr;                       ///< one per tile
  std::byte* copies = nullptr;                   ///< tile_size weights each
  std::uint64_t capacity = 0;                    ///< of `copies`, in tiles
  std::atomic<std::uint64_t>* needed = nullptr;  ///< copies asked for; a tile that gets none is not perturbed
  std::array<NoiseTerm, 2> terms{};              ///< c and z of the tiles in state with_first_term, with_second_term
  State to = State::unperturbed;                 ///< what the pass leaves; if perturbed tiles, by that state's term
};

}  // namespace zeroth::ZEROTH_ISA
