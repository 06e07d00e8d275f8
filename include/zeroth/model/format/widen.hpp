// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace zeroth::model {

/// The value of an IEEE binary16 number, exactly. The bits of a NaN keep their place below the sign and exponent.
constexpr float half_to_float(std::uint16_t half) noexcept {
  const std::uint32_t sign = (half & 0x8000u) << 16;
  const std::uint32_t magnitude = half & 0x7fffu;
  // Rebiasing the exponent from 15 to 127 adds 112; infinity and NaN, whose exponent is all ones, take it twice.
  constexpr std::uint32_t rebias = 112u << 23;
  const std::uint32_t normal = (magnitude << 13) + rebias + (magnitude >= 0x7c00u ? rebias : 0u);
  // Integer times power of two, so that a flush-to-zero mode of the processor cannot touch subnormal halves.
  const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(static_cast<float>(magnitude) * 0x1p-24f);
  return std::bit_cast<float>(sign | (magnitude < 0x0400u ? subnormal : normal));
}

/// The value of a bfloat16 number, exactly.
constexpr float bfloat16_to_float(std::uint16_t bits) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

namespace detail {

inline std::uint16_t load_u16(const std::byte* source) noexcept {
  std::uint16_t value;
  std::memcpy(&value, source, sizeof value);
  return value;
}

inline float load_half(const std::byte* source) noexcept {
  return half_to_float(load_u16(source));
}

}  // namespace detail

}  // namespace zeroth::model
