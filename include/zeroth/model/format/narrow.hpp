// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstdint>

namespace zeroth::model {

/// The IEEE binary16 number nearest to `value`, of two equally near the even one. From 65520 on that is infinity. A NaN
/// stays a NaN of the same sign, made quiet.
constexpr std::uint16_t float_to_half(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  std::uint32_t half = 0;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u | ((magnitude >> 13) & 0x03ffu);
  } else if (magnitude >= 0x477ff000u) {  // 65520, halfway between the largest half and 2^16
    half = 0x7c00u;
  } else if (magnitude >= 0x38800000u) {  // 2^-14, the smallest normal half
    // Adding just under one half of the last place that stays, and all of it where that place is odd, carries into the
    // exponent where it must. 112 is the difference of the two biases.
    half = (magnitude - (112u << 23) + 0x0fffu + ((magnitude >> 13) & 1u)) >> 13;
  } else if (magnitude > 0x33000000u) {  // 2^-25, halfway between 0 and the smallest subnormal
    const std::uint32_t shift = 126u - (magnitude >> 23);
    const std::uint32_t significand = (magnitude & 0x007fffffu) | 0x00800000u;
    const std::uint32_t kept = significand >> shift;
    half = (significand + (1u << (shift - 1)) - 1u + (kept & 1u)) >> shift;
  }
  return static_cast<std::uint16_t>(sign | half);
}

/// The bfloat16 number nearest to `value`, of two equally near the even one; beyond the largest, infinity. A NaN stays
/// a NaN of the same sign, made quiet.
constexpr std::uint16_t float_to_bfloat16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x0040u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace zeroth::model
