// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <zeroth/config.hpp>
#include <zeroth/numeric/array.hpp>

namespace zeroth::ZEROTH_ISA {

/// 128 random bits: one block of Philox4x32, or a counter for it.
using RandomBlock = Array<std::uint32_t, 4>;

/// Philox4x32: a keyed bijection on 128-bit counters that serves as a random function without state.
///
/// Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11. With 7 rounds it passes
/// BigCrush; 10 are its authors' default. tests/known_answers/philox.txt holds the published answers for both.
///
/// @tparam Rounds number of rounds, 1 to 16
template <unsigned Rounds>
struct Philox4x32 {
  static_assert(Rounds >= 1 && Rounds <= 16, "Philox4x32 takes 1 to 16 rounds; 7 and 10 have published answers");

  static constexpr std::uint32_t multiplier_0 = 0xD2511F53U;
  static constexpr std::uint32_t multiplier_1 = 0xCD9E8D57U;
  static constexpr std::uint32_t weyl_0 = 0x9E3779B9U;
  static constexpr std::uint32_t weyl_1 = 0xBB67AE85U;

  [[nodiscard]] ZEROTH_HOST_DEVICE constexpr RandomBlock operator()(RandomBlock counter, std::uint32_t key_0,
                                                                    std::uint32_t key_1) const noexcept {
    for (unsigned round = 0; round < Rounds; ++round) {
      std::uint64_t const product_0 = std::uint64_t{multiplier_0} * counter[0];
      std::uint64_t const product_1 = std::uint64_t{multiplier_1} * counter[2];
      counter = {
          static_cast<std::uint32_t>(product_1 >> 32) ^ counter[1] ^ key_0, static_cast<std::uint32_t>(product_1),
          static_cast<std::uint32_t>(product_0 >> 32) ^ counter[3] ^ key_1, static_cast<std::uint32_t>(product_0)};
      key_0 += weyl_0;
      key_1 += weyl_1;
    }
    return counter;
  }
};

/// The generator behind every random value of the library.
using Philox = Philox4x32<7>;

/// What a random value is for. Part of the counter, so that no two uses ever share bits.
enum class Purpose : std::uint32_t {
  perturbation = 0,
  rounding = 1,
  mask = 2,
  data_order = 3,
  generation = 4,
  initialization = 5,
};

/// The source of random bits: everything except the position within the tensor.
///
/// A block is `Philox(counter, key)` with
///
///     key     = { seed[31:0], seed[63:32] }
///     counter = { block[31:0], purpose << 28 | sample << 16 | block[47:32], stream, step }
///
/// so seeds have 64 bits, steps and streams 32, samples 12, purposes 4, and a tensor has at most 2^48 blocks.
struct RandomSource {
  std::uint64_t seed = 0;
  std::uint32_t step = 0;
  std::uint32_t stream = 0;
  std::uint32_t sample = 0;
  Purpose purpose = Purpose::perturbation;

  [[nodiscard]] ZEROTH_HOST_DEVICE constexpr RandomBlock counter(std::uint64_t block) const noexcept {
    return {static_cast<std::uint32_t>(block),
            static_cast<std::uint32_t>(purpose) << 28 | sample << 16 | static_cast<std::uint32_t>(block >> 32), stream,
            step};
  }

  [[nodiscard]] ZEROTH_HOST_DEVICE constexpr std::uint32_t key_0() const noexcept {
    return static_cast<std::uint32_t>(seed);
  }
  [[nodiscard]] ZEROTH_HOST_DEVICE constexpr std::uint32_t key_1() const noexcept {
    return static_cast<std::uint32_t>(seed >> 32);
  }

  /// The bits of one block.
  [[nodiscard]] ZEROTH_HOST_DEVICE constexpr RandomBlock block(std::uint64_t index) const noexcept {
    return Philox{}(counter(index), key_0(), key_1());
  }
};

/// The most samples of a step: the counter gives them 12 bits.
inline constexpr std::uint32_t max_samples = 1U << 12;

/// The most blocks of a stream: the counter gives them 48 bits. The next would have the bits of another sample or
/// purpose.
inline constexpr std::uint64_t max_blocks = std::uint64_t{1} << 48;

/// The most steps of a run: the counter gives them 32 bits, so the next one's noise would be the first one's.
inline constexpr std::uint64_t max_steps = std::uint64_t{1} << 32;

}  // namespace zeroth::ZEROTH_ISA
