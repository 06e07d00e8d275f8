// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/storage/narrow.hpp>
#include <zeroth_model/encoding/tensor_type.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The quantised types that are written.
inline constexpr std::array quantizable_types = {TensorType::q8_0, TensorType::q4_0};

namespace detail {

/// a b, rounded, which no compiler contracts with the sum that it is used in.
[[nodiscard]] inline float rounded_product(float a, float b) noexcept {
  return static_cast<float>(static_cast<double>(a) * static_cast<double>(b));
}

/// Writes the scale of a block. Returns whether a half can hold it.
[[nodiscard]] inline bool put_scale(float scale, std::byte* block) noexcept {
  std::uint16_t const half = float_to_half(scale);
  std::memcpy(block, &half, sizeof half);
  return (half & 0x7fffU) < 0x7c00U;
}

/// 32 values, rounded to multiples of 1/127 of the largest magnitude, ties away from zero.
[[nodiscard]] inline bool quantize_q8_0(float const* values, std::byte* block) noexcept {
  float most = 0;
  for (std::size_t i = 0; i < 32; ++i) most = std::max(most, std::abs(values[i]));
  float const scale = most / 127;
  float const inverse = scale == 0 ? 0 : 1 / scale;
  for (std::size_t i = 0; i < 32; ++i)
    block[2 + i] = static_cast<std::byte>(static_cast<std::int8_t>(std::round(rounded_product(values[i], inverse))));
  return put_scale(scale, block);
}

/// 32 values in steps of 1/8 of the one with the largest magnitude, which becomes -8 steps.
[[nodiscard]] inline bool quantize_q4_0(float const* values, std::byte* block) noexcept {
  float most = values[0];
  for (std::size_t i = 1; i < 32; ++i)
    if (std::abs(values[i]) > std::abs(most)) most = values[i];
  float const scale = most / -8;
  float const inverse = scale == 0 ? 0 : 1 / scale;
  auto const quant = [&](float value) {
    return static_cast<unsigned>(std::min(rounded_product(value, inverse) + 8.5F, 15.0F));
  };
  for (std::size_t i = 0; i < 16; ++i)
    block[2 + i] = static_cast<std::byte>(quant(values[i]) | quant(values[i + 16]) << 4);
  return put_scale(scale, block);
}

}  // namespace detail

/// Encodes values into blocks of Q8_0 or Q4_0, with the bits of the gguf Python package. Appends them to `blocks`.
/// @throws InvalidArgument if the type is another, the number of values is not a multiple of 32, or a value is not
/// finite
///   or so large that a half cannot hold its block's scale
inline void quantize(TensorType type, std::span<float const> values, std::vector<std::byte>& blocks) {
  if (std::find(quantizable_types.begin(), quantizable_types.end(), type) == quantizable_types.end())
    throw InvalidArgument("quantize: expected Q8_0 or Q4_0, found another type");
  TensorTypeTraits const traits = *find_tensor_type(type);
  if (values.size() % traits.block_values != 0)
    throw InvalidArgument("expected rows of a multiple of " + std::to_string(traits.block_values) + " values for " +
                          std::string(traits.name) + ", found " + std::to_string(values.size()));
  for (float value : values)
    if (!std::isfinite(value))
      throw InvalidArgument("expected finite values for " + std::string(traits.name) + ", found " +
                            number_text(static_cast<double>(value)));
  std::size_t at = blocks.size();
  blocks.resize(at + static_cast<std::size_t>(traits.bytes_of(values.size())));
  for (std::size_t i = 0; i < values.size(); i += traits.block_values, at += traits.block_bytes) {
    auto const encode = type == TensorType::q8_0 ? detail::quantize_q8_0 : detail::quantize_q4_0;
    if (!encode(values.data() + i, blocks.data() + at))
      throw InvalidArgument("expected values whose blocks have scales in the range of f16 for " +
                            std::string(traits.name) + ", found one beyond it");
  }
}

}  // namespace zeroth::ZEROTH_ISA::model
