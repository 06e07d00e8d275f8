// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <zeroth/config.hpp>
#include <zeroth/storage/data_type.hpp>

namespace zeroth::ZEROTH_ISA::model {

static_assert(std::endian::native == std::endian::little,
              "zeroth::model reads and writes little-endian files in place; this host is big-endian");

/// How the values of a stored tensor are encoded. The numbers are those of ggml, as used in GGUF files.
enum class TensorType : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  q8_k = 15,
  bf16 = 30,
};

/// Describes a TensorType: its name as ggml spells it, and the block that is its unit of storage.
struct TensorTypeTraits {
  TensorType type;
  std::string_view name;
  std::size_t block_values;  ///< values per block
  std::size_t block_bytes;   ///< bytes per block
  std::size_t scale_at = 0;  ///< where in a block its scale is (K types: the unit of its scales)
  bool has_minimum = false;  ///< whether a value is scale * quant + minimum

  /// Whether a value is less than a number of its own.
  [[nodiscard]] constexpr bool is_quantized() const noexcept { return block_values > 1; }

  /// Bytes of that many values, whole blocks.
  [[nodiscard]] constexpr std::uint64_t bytes_of(std::uint64_t values) const noexcept {
    return values / block_values * block_bytes;
  }
};

/// Every readable type.
inline constexpr std::array tensor_types = {
    TensorTypeTraits{TensorType::f32, "F32", 1, 4},
    TensorTypeTraits{TensorType::f16, "F16", 1, 2},
    TensorTypeTraits{TensorType::bf16, "BF16", 1, 2},
    TensorTypeTraits{TensorType::q4_0, "Q4_0", 32, 18, 0, false},
    TensorTypeTraits{TensorType::q4_1, "Q4_1", 32, 20, 0, true},
    TensorTypeTraits{TensorType::q5_0, "Q5_0", 32, 22, 0, false},
    TensorTypeTraits{TensorType::q5_1, "Q5_1", 32, 24, 0, true},
    TensorTypeTraits{TensorType::q8_0, "Q8_0", 32, 34, 0, false},
    TensorTypeTraits{TensorType::q2_k, "Q2_K", 256, 84, 80, true},
    TensorTypeTraits{TensorType::q3_k, "Q3_K", 256, 110, 108, false},
    TensorTypeTraits{TensorType::q4_k, "Q4_K", 256, 144, 0, true},
    TensorTypeTraits{TensorType::q5_k, "Q5_K", 256, 176, 0, true},
    TensorTypeTraits{TensorType::q6_k, "Q6_K", 256, 210, 208, false},
    TensorTypeTraits{TensorType::q8_k, "Q8_K", 256, 292, 0, false},
};

/// The traits of the type with this number, or nothing if it is not one of `tensor_types`.
constexpr std::optional<TensorTypeTraits> find_tensor_type(std::uint32_t number) noexcept {
  for (TensorTypeTraits const& traits : tensor_types) {
    if (static_cast<std::uint32_t>(traits.type) == number) return traits;
  }
  return std::nullopt;
}
[[nodiscard]] constexpr std::optional<TensorTypeTraits> find_tensor_type(TensorType type) noexcept {
  return find_tensor_type(static_cast<std::uint32_t>(type));
}

/// The file type that stores weights of this type without changing their bits.
[[nodiscard]] constexpr TensorType tensor_type_of(DataType dtype) noexcept {
  return dtype == DataType::bf16 ? TensorType::bf16 : dtype == DataType::f16 ? TensorType::f16 : TensorType::f32;
}

/// The type in which every value of that type is exact, and which is no larger than needed.
[[nodiscard]] constexpr DataType data_type_of(TensorType type) noexcept {
  return type == TensorType::bf16 ? DataType::bf16 : type == TensorType::f16 ? DataType::f16 : DataType::f32;
}

/// The readable types on one line, for messages: "F32, F16, BF16, ...".
inline std::string tensor_type_names() {
  std::string names;
  for (TensorTypeTraits const& traits : tensor_types) {
    if (!names.empty()) names += ", ";
    names += traits.name;
  }
  return names;
}

}  // namespace zeroth::ZEROTH_ISA::model
