// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstring>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

// std::memcpy instead of std::bit_cast: device code may call it without an extra compiler flag.

/// The bits of an IEEE 754 single.
[[nodiscard]] ZEROTH_HOST_DEVICE inline std::uint32_t bits_of(float value) noexcept {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// The IEEE 754 single of those bits.
[[nodiscard]] ZEROTH_HOST_DEVICE inline float float_of(std::uint32_t bits) noexcept {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// The bits of |value|; they order as magnitudes do, infinity above every number and NaN above infinity.
[[nodiscard]] ZEROTH_HOST_DEVICE inline std::uint32_t magnitude_bits(float value) noexcept {
  return bits_of(value) & 0x7fffffffU;
}

/// Whether the value is neither infinite nor NaN, tested on its bits so that no compiler flag can fold the test away.
[[nodiscard]] ZEROTH_HOST_DEVICE inline bool is_finite(float value) noexcept {
  return magnitude_bits(value) < 0x7f800000U;
}

/// @copydoc is_finite(float)
[[nodiscard]] ZEROTH_HOST_DEVICE inline bool is_finite(double value) noexcept {
  std::uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return (bits & 0x7fffffffffffffffULL) < 0x7ff0000000000000ULL;
}

}  // namespace zeroth::ZEROTH_ISA
