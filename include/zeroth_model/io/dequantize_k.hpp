// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <zeroth/storage/widen.hpp>

/// The "K" blocks of ggml: 256 values in sub-blocks of 16 or 32, each with its own scale (and minimum) in units that
/// the block stores as half.
///
/// A compiler that contracts products and sums into fused multiply-adds changes no bit: every product here is exact in
/// float's 24 significant bits, so only one difference is rounded, and only once in either form. A half has 11
/// significant bits; together with the bits of the sub-block's scale and of the quant that makes
///   Q2_K  11 + 4 + 2 = 17, minimum 11 + 4 = 15        Q5_K  11 + 6 + 5 = 22, minimum 11 + 6 = 17
///   Q3_K  11 + 6 + 3 = 20                              Q6_K  11 + 7 + 5 = 23 (-128 and -32 have one bit)
///   Q4_K  11 + 6 + 4 = 21, minimum 11 + 6 = 17
/// and no product leaves float's range of exponents: the smallest half is 2^-24. Q8_K's scale is a float, and its one
/// product is rounded, but it has no sum to be contracted with.
namespace zeroth::ZEROTH_ISA::model::detail {

/// A copy of some of a block's bytes: unlike the block itself it cannot overlap the values, so loops over it are
/// vectorised.
template <std::size_t count>
std::array<std::uint8_t, count> load_bytes(const std::byte* source) noexcept {
  std::array<std::uint8_t, count> bytes;
  std::memcpy(bytes.data(), source, count);
  return bytes;
}

inline std::uint16_t load_u16(const std::byte* source) noexcept {
  std::uint16_t value;
  std::memcpy(&value, source, sizeof value);
  return value;
}

inline float load_half(const std::byte* source) noexcept {
  return half_to_float(load_u16(source));
}

inline float load_bfloat16(const std::byte* source) noexcept {
  return bfloat16_to_float(load_u16(source));
}

/// 16 scales of 4 bits with minima of 4 bits; 2-bit quants; the units of the scales and of the minima.
inline void dequantize_q2_k(const std::byte* block, float* values) noexcept {
  const auto scales = load_bytes<16>(block);
  const auto quants = load_bytes<64>(block + 16);
  const float scale_unit = load_half(block + 80);
  const float minimum_unit = load_half(block + 82);
  for (std::size_t s = 0; s < 16; ++s, values += 16) {
    const float scale = scale_unit * static_cast<float>(scales[s] & 0x0f);
    const float minimum = minimum_unit * static_cast<float>(scales[s] >> 4);
    // Each half of the values lies in 32 bytes: 4 pairs of sub-blocks on top of each other.
    const std::size_t first = s / 8 * 32 + s % 2 * 16;
    const std::size_t shift = s % 8 / 2 * 2;
    for (std::size_t i = 0; i < 16; ++i) {
      values[i] = scale * static_cast<float>((quants[first + i] >> shift) & 3) - minimum;
    }
  }
}

/// The third bits of the quants; their lower 2 bits as in Q2_K; 16 scales of 6 bits, offset by 32; the unit of the
/// scales.
inline void dequantize_q3_k(const std::byte* block, float* values) noexcept {
  const auto high = load_bytes<32>(block);
  const auto low = load_bytes<64>(block + 32);
  const auto scales = load_bytes<12>(block + 96);
  const float unit = load_half(block + 108);
  for (std::size_t s = 0; s < 16; ++s, values += 16) {
    const int low_scale = (scales[s % 8] >> (s / 8 * 4)) & 0x0f;
    const int high_scale = (scales[8 + s % 4] >> (s / 4 * 2)) & 3;
    const float scale = unit * static_cast<float>((low_scale | high_scale << 4) - 32);
    const std::size_t first = s / 8 * 32 + s % 2 * 16;
    const std::size_t shift = s % 8 / 2 * 2;
    for (std::size_t i = 0; i < 16; ++i) {
      const int third = (high[s % 2 * 16 + i] >> (s / 2)) & 1;
      values[i] = scale * static_cast<float>(((low[first + i] >> shift) & 3) + 4 * third - 4);
    }
  }
}

/// The 8 scales and 8 minima of 6 bits that Q4_K and Q5_K pack into 12 bytes.
struct ScalesAndMinima {
  std::array<float, 8> scales;
  std::array<float, 8> minima;
};

/// `block` begins with the unit of the scales, the unit of the minima and the 12 bytes.
inline ScalesAndMinima load_scales_and_minima(const std::byte* block) noexcept {
  const float scale_unit = load_half(block);
  const float minimum_unit = load_half(block + 2);
  const auto packed = load_bytes<12>(block + 4);
  ScalesAndMinima result;
  for (std::size_t s = 0; s < 4; ++s) {
    result.scales[s] = scale_unit * static_cast<float>(packed[s] & 0x3f);
    result.minima[s] = minimum_unit * static_cast<float>(packed[s + 4] & 0x3f);
    // The upper 2 bits of the last four are stored above those of the first four.
    result.scales[s + 4] = scale_unit * static_cast<float>((packed[s + 8] & 0x0f) | (packed[s] >> 6 << 4));
    result.minima[s + 4] = minimum_unit * static_cast<float>((packed[s + 8] >> 4) | (packed[s + 4] >> 6 << 4));
  }
  return result;
}

/// Scales and minima; 4-bit quants, two sub-blocks of 32 in 32 bytes.
inline void dequantize_q4_k(const std::byte* block, float* values) noexcept {
  const ScalesAndMinima of = load_scales_and_minima(block);
  const auto quants = load_bytes<128>(block + 16);
  for (std::size_t s = 0; s < 8; ++s, values += 32) {
    const float scale = of.scales[s];
    const float minimum = of.minima[s];
    const std::size_t first = s / 2 * 32;
    const std::size_t shift = s % 2 * 4;
    for (std::size_t i = 0; i < 32; ++i) {
      values[i] = scale * static_cast<float>((quants[first + i] >> shift) & 0x0f) - minimum;
    }
  }
}

/// Scales and minima; the fifth bits of the quants; their lower 4 bits as in Q4_K.
inline void dequantize_q5_k(const std::byte* block, float* values) noexcept {
  const ScalesAndMinima of = load_scales_and_minima(block);
  const auto high = load_bytes<32>(block + 16);
  const auto low = load_bytes<128>(block + 48);
  for (std::size_t s = 0; s < 8; ++s, values += 32) {
    const float scale = of.scales[s];
    const float minimum = of.minima[s];
    const std::size_t first = s / 2 * 32;
    const std::size_t shift = s % 2 * 4;
    for (std::size_t i = 0; i < 32; ++i) {
      const int quant = ((low[first + i] >> shift) & 0x0f) | ((high[i] >> s) & 1) << 4;
      values[i] = scale * static_cast<float>(quant) - minimum;
    }
  }
}

/// The lower 4 bits of the quants; their upper 2 bits; 16 signed 8-bit scales; the unit of the scales.
inline void dequantize_q6_k(const std::byte* block, float* values) noexcept {
  const auto low = load_bytes<128>(block);
  const auto high = load_bytes<64>(block + 128);
  const auto scales = load_bytes<16>(block + 192);
  const float unit = load_half(block + 208);
  for (std::size_t s = 0; s < 16; ++s, values += 16) {
    const float scale = unit * static_cast<float>(static_cast<std::int8_t>(scales[s]));
    // In each half of the values, 64 bytes hold 4 sub-blocks in the lower bits and 4 in the upper; 32 bytes hold 4
    // pairs.
    const std::size_t first_low = s / 8 * 64 + s % 4 * 16;
    const std::size_t first_high = s / 8 * 32 + s % 2 * 16;
    const std::size_t low_shift = s % 8 / 4 * 4;
    const std::size_t high_shift = s % 8 / 2 * 2;
    for (std::size_t i = 0; i < 16; ++i) {
      const int quant = ((low[first_low + i] >> low_shift) & 0x0f) | ((high[first_high + i] >> high_shift) & 3) << 4;
      values[i] = scale * static_cast<float>(quant - 32);
    }
  }
}

/// A scale, as float; 256 signed 8-bit quants; sums of them that no decoder needs.
inline void dequantize_q8_k(const std::byte* block, float* values) noexcept {
  float scale;
  std::memcpy(&scale, block, sizeof scale);
  const auto quants = load_bytes<256>(block + 4);
  for (std::size_t i = 0; i < 256; ++i) {
    values[i] = scale * static_cast<float>(static_cast<std::int8_t>(quants[i]));
  }
}

}  // namespace zeroth::ZEROTH_ISA::model::detail
