// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <zeroth/error.hpp>

namespace zeroth::model {

static_assert(std::endian::native == std::endian::little,
              "zeroth::model reads and writes little-endian files in place; this host is big-endian");

/// How the values of a stored tensor are encoded. The numbers are those of ggml, as they stand in a GGUF file.
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
  bf16 = 30,
};

/// What is known about a TensorType: its name as ggml spells it and the block that is its unit of storage.
struct TensorTypeTraits {
  TensorType type;
  std::string_view name;
  std::size_t block_values;  ///< values in a block
  std::size_t block_bytes;   ///< bytes of a block
  bool decodable;            ///< whether dequantize() takes it
};

/// Every type whose size is known. Types that are not decodable can be listed but not read.
inline constexpr std::array tensor_types = {
    TensorTypeTraits{TensorType::f32, "F32", 1, 4, true},
    TensorTypeTraits{TensorType::f16, "F16", 1, 2, true},
    TensorTypeTraits{TensorType::q4_0, "Q4_0", 32, 18, true},
    TensorTypeTraits{TensorType::q4_1, "Q4_1", 32, 20, true},
    TensorTypeTraits{TensorType::q5_0, "Q5_0", 32, 22, false},
    TensorTypeTraits{TensorType::q5_1, "Q5_1", 32, 24, false},
    TensorTypeTraits{TensorType::q8_0, "Q8_0", 32, 34, true},
    TensorTypeTraits{TensorType::q2_k, "Q2_K", 256, 84, false},
    TensorTypeTraits{TensorType::q3_k, "Q3_K", 256, 110, false},
    TensorTypeTraits{TensorType::q4_k, "Q4_K", 256, 144, false},
    TensorTypeTraits{TensorType::q5_k, "Q5_K", 256, 176, false},
    TensorTypeTraits{TensorType::q6_k, "Q6_K", 256, 210, false},
    TensorTypeTraits{TensorType::bf16, "BF16", 1, 2, true},
};

/// The traits of the type with this number, or nothing if it is not one of `tensor_types`.
constexpr std::optional<TensorTypeTraits> find_tensor_type(std::uint32_t number) noexcept {
  for (const TensorTypeTraits& traits : tensor_types) {
    if (static_cast<std::uint32_t>(traits.type) == number) return traits;
  }
  return std::nullopt;
}

/// The decodable types in one line, for messages: "F32, F16, Q4_0, ...".
inline std::string decodable_type_names() {
  std::string names;
  for (const TensorTypeTraits& traits : tensor_types) {
    if (!traits.decodable) continue;
    if (!names.empty()) names += ", ";
    names += traits.name;
  }
  return names;
}

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

// A scale is a half, with 11 significant bits, and a quant has at most 8: their product is exact in float. So nothing
// is rounded but the sum in Q4_1, and a compiler that contracts it into a fused multiply-add changes no bit.

inline void dequantize_q8_0(const std::byte* block, float* values) noexcept {
  const float scale = load_half(block);
  for (std::size_t i = 0; i < 32; ++i) {
    values[i] = static_cast<float>(static_cast<std::int8_t>(block[2 + i])) * scale;
  }
}

inline void dequantize_q4_0(const std::byte* block, float* values) noexcept {
  const float scale = load_half(block);
  for (std::size_t i = 0; i < 16; ++i) {
    const int quants = static_cast<int>(block[2 + i]);
    values[i] = scale * static_cast<float>((quants & 0x0f) - 8);
    values[i + 16] = scale * static_cast<float>((quants >> 4) - 8);
  }
}

inline void dequantize_q4_1(const std::byte* block, float* values) noexcept {
  const float scale = load_half(block);
  const float minimum = load_half(block + 2);
  for (std::size_t i = 0; i < 16; ++i) {
    const int quants = static_cast<int>(block[4 + i]);
    values[i] = scale * static_cast<float>(quants & 0x0f) + minimum;
    values[i + 16] = scale * static_cast<float>(quants >> 4) + minimum;
  }
}

/// One call per block; the decoder is a template argument so that it is inlined.
template <auto decode>
void dequantize_blocks(const TensorTypeTraits& traits, const std::byte* blocks, std::span<float> values) noexcept {
  for (std::size_t i = 0; i < values.size(); i += traits.block_values, blocks += traits.block_bytes) {
    decode(blocks, values.data() + i);
  }
}

}  // namespace detail

/// Decodes whole blocks into float, with the same bits as the gguf Python package whatever the compiler's
/// optimisation and contraction settings (the payload of a NaN excepted).
///
/// `blocks` needs no alignment and must hold exactly values.size() values. Throws InvalidArgument if it does not, or
/// if the type is not decodable.
inline void dequantize(TensorType type, std::span<const std::byte> blocks, std::span<float> values) {
  const auto traits = find_tensor_type(static_cast<std::uint32_t>(type));
  if (!traits || !traits->decodable) {
    throw InvalidArgument("dequantize: expected a type among " + decodable_type_names() + ", found " +
                          (traits ? std::string(traits->name) : std::to_string(static_cast<std::uint32_t>(type))));
  }
  const std::size_t count = values.size() / traits->block_values;
  if (values.size() % traits->block_values != 0 || blocks.size() % traits->block_bytes != 0 ||
      blocks.size() / traits->block_bytes != count) {
    throw InvalidArgument("dequantize: " + std::to_string(values.size()) + " values of type " +
                          std::string(traits->name) + " (blocks of " + std::to_string(traits->block_values) +
                          " values in " + std::to_string(traits->block_bytes) + " bytes) do not fit " +
                          std::to_string(blocks.size()) + " bytes");
  }
  if (count == 0) return;

  const std::byte* const source = blocks.data();
  switch (type) {
    case TensorType::f32:
      std::memcpy(values.data(), source, blocks.size());
      break;
    case TensorType::f16:
      for (std::size_t i = 0; i < count; ++i) values[i] = detail::load_half(source + 2 * i);
      break;
    case TensorType::bf16:
      for (std::size_t i = 0; i < count; ++i) values[i] = bfloat16_to_float(detail::load_u16(source + 2 * i));
      break;
    case TensorType::q8_0:
      detail::dequantize_blocks<detail::dequantize_q8_0>(*traits, source, values);
      break;
    case TensorType::q4_0:
      detail::dequantize_blocks<detail::dequantize_q4_0>(*traits, source, values);
      break;
    case TensorType::q4_1:
      detail::dequantize_blocks<detail::dequantize_q4_1>(*traits, source, values);
      break;
    default:
      break;  // refused above
  }
}

}  // namespace zeroth::model
