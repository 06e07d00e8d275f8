// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <zeroth/config.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/storage/data_type.hpp>

namespace zeroth::ZEROTH_ISA {

/// The value of an IEEE binary16 number, exactly. A NaN becomes a quiet NaN whose bits keep their place below the sign
/// and exponent, as the conversion instructions of processors have it.
[[nodiscard]] ZEROTH_HOST_DEVICE inline float half_to_float(std::uint16_t half) noexcept {
  std::uint32_t const sign = (half & 0x8000U) << 16;
  std::uint32_t const magnitude = half & 0x7fffU;
  // Rebiasing the exponent from 15 to 127 adds 112; infinity and NaN, whose exponent is all ones, take it twice.
  constexpr std::uint32_t rebias = 112U << 23;
  std::uint32_t const quiet = magnitude > 0x7c00U ? 0x00400000U : 0U;
  std::uint32_t const normal = ((magnitude << 13) + rebias + (magnitude >= 0x7c00U ? rebias : 0U)) | quiet;
  // Integer times power of two, so that a flush-to-zero mode of the processor cannot touch subnormal halves.
  std::uint32_t const subnormal = bits_of(static_cast<float>(magnitude) * 0x1p-24F);
  return float_of(sign | (magnitude < 0x0400U ? subnormal : normal));
}

/// The value of a bfloat16 number, exactly: its bits are the upper half of the float's.
[[nodiscard]] ZEROTH_HOST_DEVICE inline float bfloat16_to_float(std::uint16_t bits) noexcept {
  return float_of(static_cast<std::uint32_t>(bits) << 16);
}

/// The value of a number that is stored as bf16 or f16.
[[nodiscard]] ZEROTH_HOST_DEVICE inline float widen(DataType dtype, std::uint16_t bits) noexcept {
  return dtype == DataType::bf16 ? bfloat16_to_float(bits) : half_to_float(bits);
}

}  // namespace zeroth::ZEROTH_ISA
