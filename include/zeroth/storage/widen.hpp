// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <zeroth/config.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/storage/data_type.hpp>

namespace zeroth::ZEROTH_ISA {

/// The exact value of an IEEE binary16 number. A NaN becomes a quiet NaN whose bits keep their place below the sign and
/// exponent, as in the conversion instructions of processors.
[[nodiscard]] ZEROTH_HOST_DEVICE inline float half_to_float(std::uint16_t half) noexcept {
  std::uint32_t const sign = (half & 0x8000U) << 16;
  std::uint32_t const magnitude = half & 0x7fffU;
  // Rebiasing the exponent from 15 to 127 adds 112; infinity and NaN, whose exponent is all ones, need it added twice.
  constexpr std::uint32_t rebias = 112U << 23;
  std::uint32_t const quiet = magnitude > 0x7c00U ? 0x00400000U : 0U;
  std::uint32_t const normal = ((magnitude << 13) + rebias + (magnitude >= 0x7c00U ? rebias : 0U)) | quiet;
  // An integer times a power of two, so that the processor's flush-to-zero mode cannot affect subnormal halves.
  std::uint32_t const subnormal = bits_of(static_cast<float>(magnitude) * 0x1p-24F);
  return float_of(sign | (magnitude < 0x0400U ? subnormal : normal));
}

/// The exact value of a bfloat16 number: its bits are the upper half of the float's.
[[nodiscard]] ZEROTH_HOST_DEVICE inline float bfloat16_to_float(std::uint16_t bits) noexcept {
  return float_of(static_cast<std::uint32_t>(bits) << 16);
}

/// The value of a number stored as bf16 or f16.
[[nodiscard]] ZEROTH_HOST_DEVICE inline float widen(DataType dtype, std::uint16_t bits) noexcept {
  return dtype == DataType::bf16 ? bfloat16_to_float(bits) : half_to_float(bits);
}

}  // namespace zeroth::ZEROTH_ISA
