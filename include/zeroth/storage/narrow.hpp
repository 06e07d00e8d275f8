// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <zeroth/config.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/storage/data_type.hpp>

namespace zeroth::ZEROTH_ISA {

// All integer arithmetic: neither the processor's rounding mode nor its flush-to-zero mode can affect it.

namespace detail {

/// Drops the lowest bits of a number, rounding to nearest even. A carry into the exponent gives the correct result.
[[nodiscard]] ZEROTH_HOST_DEVICE constexpr std::uint32_t drop_bits(std::uint32_t number,
                                                                   std::uint32_t dropped) noexcept {
  return (number + (1U << (dropped - 1)) - 1 + ((number >> dropped) & 1U)) >> dropped;
}

/// The bits of a float's significand, including the leading one.
[[nodiscard]] ZEROTH_HOST_DEVICE constexpr std::uint32_t significand(std::uint32_t magnitude) noexcept {
  return (magnitude & 0x007fffffU) | 0x00800000U;
}

namespace half_map {
// Magnitudes of floats at which the conversion to half changes.
inline constexpr std::uint32_t infinity = 0x7f800000U;
inline constexpr std::uint32_t too_large = 0x47800000U;     // 2^16
inline constexpr std::uint32_t overflow = 0x477ff000U;      // 65520, halfway from the largest half to 2^16
inline constexpr std::uint32_t least_normal = 0x38800000U;  // 2^-14
inline constexpr std::uint32_t underflow = 0x33000000U;     // 2^-25, halfway from 0 to the smallest half
inline constexpr std::uint32_t rebias = 112U << 23;         // the exponent's bias goes from 127 to 15
}  // namespace half_map

}  // namespace detail

/// The IEEE binary16 number nearest to `value`, ties to even. Half a step or more beyond 65504 it is infinity, below
/// 2^-14 subnormal. A NaN becomes a quiet NaN with the same sign and the upper bits of its payload.
[[nodiscard]] ZEROTH_HOST_DEVICE inline std::uint16_t float_to_half(float value) noexcept {
  using namespace detail::half_map;
  std::uint32_t const bits = bits_of(value);
  std::uint32_t const sign = (bits >> 16) & 0x8000U;
  std::uint32_t const magnitude = bits & 0x7fffffffU;
  std::uint32_t half = 0;
  if (magnitude > infinity) {
    half = 0x7e00U | ((magnitude >> 13) & 0x03ffU);
  } else if (magnitude >= overflow) {
    half = 0x7c00U;
  } else if (magnitude >= least_normal) {
    half = detail::drop_bits(magnitude - rebias, 13);
  } else if (magnitude > underflow) {
    // The significand in units of 2^-24, the smallest half.
    half = detail::drop_bits(detail::significand(magnitude), 126 - (magnitude >> 23));
  }
  return static_cast<std::uint16_t>(sign | half);
}

/// The bfloat16 number nearest to `value`, ties to even. Half a step or more beyond the largest it is infinity;
/// subnormal numbers are kept. A NaN becomes a quiet NaN with the same sign and the upper bits of its payload.
[[nodiscard]] ZEROTH_HOST_DEVICE inline std::uint16_t float_to_bfloat16(float value) noexcept {
  std::uint32_t const bits = bits_of(value);
  bool const nan = (bits & 0x7fffffffU) > 0x7f800000U;
  std::uint32_t const rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  return static_cast<std::uint16_t>(nan ? (bits >> 16) | 0x0040U : rounded);
}

/// The bf16 or f16 number nearest to `value`, ties to even.
[[nodiscard]] ZEROTH_HOST_DEVICE inline std::uint16_t narrow(DataType dtype, float value) noexcept {
  return dtype == DataType::bf16 ? float_to_bfloat16(value) : float_to_half(value);
}

/// The bits of the absolute value of a bf16 or f16 number; from `infinity_of(dtype)` on, the number is not finite.
[[nodiscard]] ZEROTH_HOST_DEVICE constexpr std::uint32_t magnitude_of(std::uint16_t bits) noexcept {
  return bits & 0x7fffU;
}

/// The bits of infinity in bf16 or f16.
[[nodiscard]] ZEROTH_HOST_DEVICE constexpr std::uint32_t infinity_of(DataType dtype) noexcept {
  return dtype == DataType::bf16 ? 0x7f80U : 0x7c00U;
}

}  // namespace zeroth::ZEROTH_ISA
