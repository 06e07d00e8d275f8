// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include <zeroth/error.hpp>
#include <zeroth/storage/widen.hpp>
#include <zeroth_model/io/dequantize_k.hpp>
#include <zeroth_model/io/tensor_type.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

// A scale is a half, with 11 significant bits, and a quant has at most 8, so their product is exact in float. Only the
// sums in Q4_1 and Q5_1 round, and a compiler that contracts them into fused multiply-adds changes no bit.

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

/// The quants of Q5_0 and Q5_1; the first 4 bytes hold their fifth bits: bit i for value i.
inline std::array<std::uint8_t, 32> load_q5(const std::byte* source) noexcept {
  std::uint32_t high;
  std::memcpy(&high, source, sizeof high);
  const auto low = load_bytes<16>(source + 4);
  std::array<std::uint8_t, 32> quants;
  for (std::size_t i = 0; i < 16; ++i) {
    quants[i] = static_cast<std::uint8_t>((low[i] & 0x0fu) | (high >> i & 1u) << 4);
    quants[i + 16] = static_cast<std::uint8_t>((low[i] >> 4) | (high >> (i + 16) & 1u) << 4);
  }
  return quants;
}

inline void dequantize_q5_0(const std::byte* block, float* values) noexcept {
  const float scale = load_half(block);
  const auto quants = load_q5(block + 2);
  for (std::size_t i = 0; i < 32; ++i) values[i] = scale * static_cast<float>(quants[i] - 16);
}

inline void dequantize_q5_1(const std::byte* block, float* values) noexcept {
  const float scale = load_half(block);
  const float minimum = load_half(block + 2);
  const auto quants = load_q5(block + 4);
  for (std::size_t i = 0; i < 32; ++i) values[i] = scale * static_cast<float>(quants[i]) + minimum;
}

/// One call per block; the decoder is a template argument so that it is inlined.
template <auto decode>
void dequantize_blocks(const TensorTypeTraits& traits, const std::byte* blocks, std::span<float> values) noexcept {
  for (std::size_t i = 0; i < values.size(); i += traits.block_values, blocks += traits.block_bytes) {
    decode(blocks, values.data() + i);
  }
}

}  // namespace detail

/// Decodes whole blocks into float, with the same bits as the gguf Python package under any optimisation and
/// contraction settings of the compiler (except the payload of a NaN).
///
/// `blocks` needs no alignment and must hold exactly values.size() values. Throws InvalidArgument if it does not, or if
/// the type is not one of `tensor_types`.
inline void dequantize(TensorType type, std::span<const std::byte> blocks, std::span<float> values) {
  const auto traits = find_tensor_type(static_cast<std::uint32_t>(type));
  if (!traits) {
    throw InvalidArgument("dequantize: expected a type among " + tensor_type_names() + ", found number " +
                          std::to_string(static_cast<std::uint32_t>(type)));
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
      for (std::size_t i = 0; i < count; ++i) values[i] = detail::load_bfloat16(source + 2 * i);
      break;
    case TensorType::q4_0:
      detail::dequantize_blocks<detail::dequantize_q4_0>(*traits, source, values);
      break;
    case TensorType::q4_1:
      detail::dequantize_blocks<detail::dequantize_q4_1>(*traits, source, values);
      break;
    case TensorType::q5_0:
      detail::dequantize_blocks<detail::dequantize_q5_0>(*traits, source, values);
      break;
    case TensorType::q5_1:
      detail::dequantize_blocks<detail::dequantize_q5_1>(*traits, source, values);
      break;
    case TensorType::q8_0:
      detail::dequantize_blocks<detail::dequantize_q8_0>(*traits, source, values);
      break;
    case TensorType::q2_k:
      detail::dequantize_blocks<detail::dequantize_q2_k>(*traits, source, values);
      break;
    case TensorType::q3_k:
      detail::dequantize_blocks<detail::dequantize_q3_k>(*traits, source, values);
      break;
    case TensorType::q4_k:
      detail::dequantize_blocks<detail::dequantize_q4_k>(*traits, source, values);
      break;
    case TensorType::q5_k:
      detail::dequantize_blocks<detail::dequantize_q5_k>(*traits, source, values);
      break;
    case TensorType::q6_k:
      detail::dequantize_blocks<detail::dequantize_q6_k>(*traits, source, values);
      break;
    case TensorType::q8_k:
      detail::dequantize_blocks<detail::dequantize_q8_k>(*traits, source, values);
      break;
  }
}

}  // namespace zeroth::ZEROTH_ISA::model
