// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include <zeroth/backend/cpu/convert.hpp>
#include <zeroth/backend/cpu/instruction_set.hpp>
#include <zeroth/error.hpp>
#include <zeroth/storage/widen.hpp>
#include <zeroth_model/encoding/tensor_type.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

/// Selects the decoder of a type of block.
template <TensorType type>
struct Encoding {};

/// A copy of some of a block's bytes: unlike the block itself it cannot overlap the values, so loops over it are
/// vectorised.
template <std::size_t count>
std::array<std::uint8_t, count> load_bytes(std::byte const* source) noexcept {
  std::array<std::uint8_t, count> bytes;
  std::memcpy(bytes.data(), source, count);
  return bytes;
}

inline float load_half(std::byte const* source) noexcept {
  std::uint16_t half;
  std::memcpy(&half, source, sizeof half);
  return half_to_float(half);
}

/// The scale of a block.
inline float load_scale(TensorTypeTraits const& traits, std::byte const* block) noexcept {
  if (traits.type != TensorType::q8_k) return load_half(block + traits.scale_at);
  float scale;
  std::memcpy(&scale, block, sizeof scale);
  return scale;
}

/// The quants of Q5_0 and Q5_1; the first 4 bytes hold their fifth bits: bit i for value i.
inline std::array<std::uint8_t, 32> load_five_bits(std::byte const* source) noexcept {
  std::uint32_t high;
  std::memcpy(&high, source, sizeof high);
  auto const low = load_bytes<16>(source + 4);
  std::array<std::uint8_t, 32> quants;
  for (std::size_t i = 0; i < 16; ++i) {
    quants[i] = static_cast<std::uint8_t>((low[i] & 0x0fU) | (high >> i & 1U) << 4);
    quants[i + 16] = static_cast<std::uint8_t>((low[i] >> 4) | (high >> (i + 16) & 1U) << 4);
  }
  return quants;
}

/// The 8 scales and 8 minima of 6 bits that Q4_K and Q5_K pack into 12 bytes, in units that the block has.
struct ScalesAndMinima {
  std::array<std::uint8_t, 8> scales;
  std::array<std::uint8_t, 8> minima;
};

inline ScalesAndMinima load_scales_and_minima(std::byte const* source) noexcept {
  auto const packed = load_bytes<12>(source);
  ScalesAndMinima result;
  for (std::size_t s = 0; s < 4; ++s) {
    result.scales[s] = packed[s] & 0x3fU;
    result.minima[s] = packed[s + 4] & 0x3fU;
    // The upper 2 bits of the last four are stored above those of the first four.
    result.scales[s + 4] = static_cast<std::uint8_t>((packed[s + 8] & 0x0fU) | (packed[s] & 0xc0U) >> 2);
    result.minima[s + 4] = static_cast<std::uint8_t>((packed[s + 8] >> 4U) | (packed[s + 4] & 0xc0U) >> 2);
  }
  return result;
}

/// Decodes `count` blocks with the scales given, one a block, or those of the blocks if `scales` is null.
using BlockDecoder = void (*)(std::byte const* block, float const* scales, float* values, std::size_t count);

#if ZEROTH_X86_DISPATCH
namespace avx512 {
#define ZEROTH_TARGET target("avx512f,avx512bw,avx512vl,avx512dq,fma")
#include <zeroth_model/encoding/blocks.inc>
#undef ZEROTH_TARGET
}  // namespace avx512

namespace avx2 {
#define ZEROTH_TARGET target("avx2,fma")
#include <zeroth_model/encoding/blocks.inc>
#undef ZEROTH_TARGET
}  // namespace avx2
#endif

namespace portable {
#define ZEROTH_TARGET unused
#include <zeroth_model/encoding/blocks.inc>
#undef ZEROTH_TARGET
}  // namespace portable

/// The decoder of a type, one of `tensor_types` that has blocks, for an instruction set.
inline BlockDecoder block_decoder(TensorType type, [[maybe_unused]] InstructionSet set) noexcept {
  BlockDecoder found = nullptr;
  auto const consider = [&]<std::size_t i>(std::integral_constant<std::size_t, i>) {
    constexpr TensorTypeTraits traits = tensor_types[i];
    if constexpr (traits.is_quantized()) {
      if (traits.type != type) return;
      found = &portable::decode_blocks<traits.type>;
#if ZEROTH_X86_DISPATCH
      if (set == InstructionSet::avx2) found = &avx2::decode_blocks<traits.type>;
      if (set == InstructionSet::avx512) found = &avx512::decode_blocks<traits.type>;
#endif
    }
  };
  [&]<std::size_t... i>(std::index_sequence<i...>) {
    (consider(std::integral_constant<std::size_t, i>{}), ...);
  }
  (std::make_index_sequence<tensor_types.size()>{});
  return found;
}

}  // namespace detail

/// Decodes whole blocks into float, with the same bits as the gguf Python package under any optimisation and
/// contraction settings of the compiler and with any instruction set (except the payload of a NaN).
///
/// @param blocks needs no alignment and must hold exactly values.size() values
/// @throws InvalidArgument if it does not, or if the type is not one of `tensor_types`.
inline void dequantize(TensorType type, std::span<std::byte const> blocks, std::span<float> values,
                       InstructionSet set = best_instruction_set()) {
  auto const traits = find_tensor_type(type);
  if (!traits)
    throw InvalidArgument("dequantize: expected a type among " + tensor_type_names() + ", found number " +
                          std::to_string(static_cast<std::uint32_t>(type)));
  std::size_t const count = values.size() / traits->block_values;
  if (values.size() % traits->block_values != 0 || blocks.size() % traits->block_bytes != 0 ||
      blocks.size() / traits->block_bytes != count)
    throw InvalidArgument("dequantize: " + std::to_string(values.size()) + " values of type " +
                          std::string(traits->name) + " (blocks of " + std::to_string(traits->block_values) +
                          " values in " + std::to_string(traits->block_bytes) + " bytes) do not fit " +
                          std::to_string(blocks.size()) + " bytes");
  if (count == 0) return;
  if (traits->is_quantized())
    detail::block_decoder(type, set)(blocks.data(), nullptr, values.data(), count);
  else
    widen_values(data_type_of(type), blocks.data(), values, set);
}

}  // namespace zeroth::ZEROTH_ISA::model
