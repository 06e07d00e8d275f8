// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// How a weight is stored. Arithmetic is always in f32.
enum class DataType : std::uint8_t { f32, bf16, f16 };
inline constexpr std::uint8_t data_types = 3;  ///< number of values

[[nodiscard]] constexpr std::string_view to_string(DataType dtype) noexcept {
  switch (dtype) {
    case DataType::f32:
      return "f32";
    case DataType::bf16:
      return "bf16";
    case DataType::f16:
      return "f16";
  }
  return "unknown";
}

/// Bytes per element.
[[nodiscard]] ZEROTH_HOST_DEVICE constexpr std::size_t size_of(DataType dtype) noexcept {
  return dtype == DataType::f32 ? 4 : 2;
}

}  // namespace zeroth::ZEROTH_ISA
