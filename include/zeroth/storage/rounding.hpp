// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <zeroth/config.hpp>
#include <zeroth/random/philox.hpp>
#include <zeroth/random/tile.hpp>
#include <zeroth/storage/narrow.hpp>
#include <zeroth/storage/widen.hpp>

namespace zeroth::ZEROTH_ISA {

/// How an updated weight is rounded back to 16 bits. f32 weights are not rounded and ignore this.
///
/// With every rounding, the loss is evaluated at the 16-bit weight, and masks are a function of it: the remainder that
/// a rounding keeps serves only the next update.
enum class Rounding : std::uint8_t {
  /// To the nearest number, ties to even. An update below half a step of the weight is lost.
  nearest,
  /// Up or down at random, so that the mean is the update's: unbiased, but the weight walks at random. The random value
  /// is a pure function of seed, step, stream and element; it has 16 bits.
  stochastic,
  /// To the nearest number; its error is kept as a bfloat16 and subtracted before the next update (Kahan).
  compensated,
  /// To the nearest number with 8 more bits of mantissa, which are stored in a byte.
  extra_byte,
};
inline constexpr std::uint8_t roundings = 4;  ///< number of values

[[nodiscard]] constexpr std::string_view to_string(Rounding rounding) noexcept {
  switch (rounding) {
    case Rounding::nearest:
      return "nearest";
    case Rounding::stochastic:
      return "stochastic";
    case Rounding::compensated:
      return "compensated";
    case Rounding::extra_byte:
      return "extra-byte";
  }
  return "unknown";
}

/// Bytes of the remainder that a rounding keeps per 16-bit weight.
[[nodiscard]] ZEROTH_HOST_DEVICE constexpr std::size_t remainder_bytes(Rounding rounding) noexcept {
  return rounding == Rounding::compensated ? 2 : rounding == Rounding::extra_byte ? 1 : 0;
}

/// The 16 random bits of an element, for Rounding::stochastic: one Philox block serves 8 elements.
/// @param source with Purpose::rounding and sample 0
[[nodiscard]] ZEROTH_HOST_DEVICE constexpr std::uint32_t rounding_bits(RandomSource const& source,
                                                                       std::uint64_t element) noexcept {
  BlockPosition const at = block_position<8>(element);
  std::uint32_t const word = source.block(at.block)[at.value / 2];
  return at.value % 2 == 0 ? word & 0xffffU : word >> 16;
}

/// One of the two bf16 or f16 numbers around `value`. The one farther from 0 has the probability of the share of the
/// step by which `value` is past the nearer one, in units of 2^-16. A number of that type is kept.
///
/// Beyond the largest number the next is infinity: f16 makes values above 65504 infinite with a probability that
/// reaches 1 at 65536. A NaN becomes a quiet NaN as in narrow(). The share of a subnormal half may need more than 16
/// bits; the rest is cut off: a bias below 2^-40.
/// @param random 16 bits
[[nodiscard]] ZEROTH_HOST_DEVICE inline std::uint16_t narrow_stochastic(DataType dtype, float value,
                                                                        std::uint32_t random) noexcept {
  using namespace detail::half_map;
  std::uint32_t const bits = bits_of(value);
  std::uint32_t const sign = (bits >> 16) & 0x8000U;
  std::uint32_t const magnitude = bits & 0x7fffffffU;
  if (magnitude > infinity) return narrow(dtype, value);
  if (dtype == DataType::bf16) return static_cast<std::uint16_t>(sign | (magnitude + random) >> 16);
  if (magnitude >= too_large) return static_cast<std::uint16_t>(sign | 0x7c00U);
  if (magnitude >= least_normal) return static_cast<std::uint16_t>(sign | (magnitude - rebias + (random >> 3)) >> 13);
  // In units of 2^-40: the step of subnormal halves is 2^-24.
  auto const units = static_cast<std::uint32_t>(float_of(magnitude) * 0x1p40F);
  return static_cast<std::uint16_t>(sign | (units + random) >> 16);
}

/// A weight with 8 more bits of mantissa than 16 bits hold, for Rounding::extra_byte.
///
/// The magnitude is a number with 15 + 8 bits. The 16-bit weight is the nearest to it (ties away from 0), and the byte
/// holds the difference: `upper` 2^8 + `lower`.
struct ExtendedWeight {
  std::uint16_t upper = 0;  ///< a bf16 or f16 number
  std::int8_t lower = 0;    ///< the magnitude minus that of `upper`, in units of 2^-8 of its step

  bool operator==(ExtendedWeight const&) const = default;
};

/// The extended number nearest to `value`, ties to even. If its upper part is not finite, its lower part is 0; that
/// holds for a NaN, and in f16 from 65520 on.
[[nodiscard]] ZEROTH_HOST_DEVICE inline ExtendedWeight extend(DataType dtype, float value) noexcept {
  using namespace detail::half_map;
  std::uint32_t const bits = bits_of(value);
  std::uint32_t const sign = (bits >> 16) & 0x8000U;
  std::uint32_t const magnitude = bits & 0x7fffffffU;
  if (magnitude > infinity) return {narrow(dtype, value), 0};
  std::uint32_t extended = 0;
  if (dtype == DataType::bf16) {
    extended = detail::drop_bits(magnitude, 8);
  } else if (magnitude >= least_normal) {
    extended = detail::drop_bits((magnitude < too_large ? magnitude : too_large) - rebias, 5);
  } else if (magnitude > underflow - (8U << 23)) {
    extended = detail::drop_bits(detail::significand(magnitude), 118 - (magnitude >> 23));
  }
  std::uint32_t const upper = (extended + 128) >> 8;
  bool const finite = upper < infinity_of(dtype);
  return {static_cast<std::uint16_t>(sign | (finite ? upper : infinity_of(dtype))),
          static_cast<std::int8_t>(finite ? static_cast<std::int32_t>(extended - (upper << 8)) : 0)};
}

/// The exact value of an extended number. If its upper part is not finite, it is that part's value; a lower part that
/// would take it past 0 takes it to 0.
[[nodiscard]] ZEROTH_HOST_DEVICE inline float to_float(DataType dtype, ExtendedWeight weight) noexcept {
  using namespace detail::half_map;
  std::uint32_t const magnitude = magnitude_of(weight.upper);
  if (magnitude >= infinity_of(dtype)) return widen(dtype, weight.upper);
  std::int32_t const sum = static_cast<std::int32_t>(magnitude << 8) + weight.lower;
  std::uint32_t const extended = sum < 0 ? 0U : static_cast<std::uint32_t>(sum);
  std::uint32_t const sign = static_cast<std::uint32_t>(weight.upper & 0x8000U) << 16;
  if (dtype == DataType::bf16) return float_of(sign | extended << 8);
  std::uint32_t const subnormal = bits_of(static_cast<float>(extended) * 0x1p-32F);
  return float_of(sign | (extended < (0x0400U << 8) ? subnormal : (extended << 5) + rebias));
}

/// What rounding `value` to the nearest `weight` added to it, as the nearest bfloat16, for Rounding::compensated; 0 if
/// the weight is not finite. The difference itself is exact in f32.
[[nodiscard]] ZEROTH_HOST_DEVICE inline std::uint16_t rounding_error(DataType dtype, float value,
                                                                     std::uint16_t weight) noexcept {
  if (magnitude_of(weight) >= infinity_of(dtype)) return 0;
  return float_to_bfloat16(widen(dtype, weight) - value);
}

}  // namespace zeroth::ZEROTH_ISA
