// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstdint>

namespace zeroth::model {

/// The IEEE binary16 number nearest to `value`, ties to even: beyond 65504 by half a step or more, infinity; below
/// 2^-14, subnormals. A NaN becomes a quiet NaN with the same sign and the upper bits of its payload.
constexpr std::uint16_t float_to_half(float value) noexcept {
  // Integers throughout: no rounding mode and no flush-to-zero mode of the processor can touch them.
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  // Drops the lowest bits, rounding to nearest even. A carry into the exponent is what it should be.
  const auto round = [](std::uint32_t number, std::uint32_t dropped) {
    return (number + (1u << (dropped - 1)) - 1 + ((number >> dropped) & 1u)) >> dropped;
  };
  constexpr std::uint32_t infinity = 0x7f800000u;
  constexpr std::uint32_t overflow = 0x477ff000u;      // 65520, halfway from the largest half to 2^16
  constexpr std::uint32_t least_normal = 0x38800000u;  // 2^-14
  constexpr std::uint32_t underflow = 0x33000000u;     // 2^-25, halfway from 0 to the smallest half
  std::uint32_t half = 0;
  if (magnitude > infinity) {
    half = 0x7e00u | ((magnitude >> 13) & 0x03ffu);
  } else if (magnitude >= overflow) {
    half = 0x7c00u;
  } else if (magnitude >= least_normal) {
    half = round(magnitude - (112u << 23), 13);  // the exponent's bias goes from 127 to 15
  } else if (magnitude > underflow) {
    // The significand in units of 2^-24, the smallest half.
    half = round((magnitude & 0x007fffffu) | 0x00800000u, 126 - (magnitude >> 23));
  }
  return static_cast<std::uint16_t>(sign | half);
}

/// The bfloat16 number nearest to `value`, ties to even: beyond the largest by half a step or more, infinity; subnormal
/// numbers stay what they are. A NaN becomes a quiet NaN with the same sign and the upper bits of its payload.
constexpr std::uint16_t float_to_bfloat16(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
  const std::uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return static_cast<std::uint16_t>(nan ? (bits >> 16) | 0x0040u : rounded);
}

}  // namespace zeroth::model
