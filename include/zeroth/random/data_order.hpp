// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include <zeroth/error.hpp>
#include <zeroth/random/philox.hpp>

namespace zeroth::ZEROTH_ISA {

/// The example that fills place `position` of the batch of a step: a pure function of its arguments, uniform over
/// [0, examples), drawn with replacement.
///
/// @throws InvalidArgument if there are no examples, or `position` is 2^48 or more, where draws would repeat
[[nodiscard]] inline std::uint64_t draw_example(std::uint64_t seed, std::uint32_t step, std::uint64_t position,
                                                std::uint64_t examples) {
  if (examples == 0) throw InvalidArgument("draw_example: there are no examples to draw from");
  if (position >= max_blocks)
    throw InvalidArgument("draw_example: position must be below 2^48, got " + std::to_string(position));
  RandomBlock const bits = RandomSource{seed, step, 0, 0, Purpose::data_order}.block(position);
  // floor(u examples) for a 64-bit u, computed by halves: the upper 64 bits of the product.
  std::uint64_t const low = (bits[0] * (examples & 0xffffffffU)) >> 32;
  std::uint64_t const middle_1 = bits[0] * (examples >> 32) + low;
  std::uint64_t const middle_2 = bits[1] * (examples & 0xffffffffU) + (middle_1 & 0xffffffffU);
  return bits[1] * (examples >> 32) + (middle_1 >> 32) + (middle_2 >> 32);
}

}  // namespace zeroth::ZEROTH_ISA
