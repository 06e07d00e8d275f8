// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <zeroth_model/ops/cpu/kernels.hpp>

#if ZEROTH_X86_DISPATCH
#include <immintrin.h>
#endif

/// Products of bf16 numbers with f32 sums, using the instruction for them (AVX512-BF16).
///
/// Two consecutive features share the 32 bits of a float, the earlier one in the lower half, in weights and activations
/// alike. Otherwise the layout is that of f32, and ProductArguments counts in pairs.
namespace zeroth::ZEROTH_ISA::model::cpu {

/// Whether this processor has the instruction.
[[nodiscard]] inline bool multiplies_pairs(InstructionSet set) noexcept {
#if ZEROTH_X86_DISPATCH
  return set == InstructionSet::avx512 && __builtin_cpu_supports("avx512bf16");
#else
  static_cast<void>(set);
  return false;
#endif
}

#if ZEROTH_X86_DISPATCH

namespace detail {

struct PairKernel {
  static constexpr std::size_t rows = 12;
  static constexpr std::size_t blocks = 2;

  template <std::size_t R, std::size_t B, bool Ahead>
  __attribute__((noinline, visibility("hidden"), target("avx512f,avx512bf16"))) static void product(
      std::size_t inner, float const* weights, std::size_t weight_stride, float const* input, std::size_t input_stride,
      float* output, std::size_t output_stride, [[maybe_unused]] float const* next) {
    __m512 sum[R][B];
#pragma GCC unroll 16
    for (std::size_t r = 0; r < R; ++r) {
#pragma GCC unroll 2
      for (std::size_t b = 0; b < B; ++b) sum[r][b] = _mm512_setzero_ps();
    }
    for (std::size_t i = 0; i < inner; ++i) {
      __m512 x[B];
#pragma GCC unroll 2
      for (std::size_t b = 0; b < B; ++b) x[b] = _mm512_load_ps(input + b * input_stride + i * block_tokens);
      if constexpr (Ahead) __builtin_prefetch(next + i * block_tokens, 0, 2);
#pragma GCC unroll 16
      for (std::size_t r = 0; r < R; ++r) {
        __m512 const w = _mm512_set1_ps(weights[r * weight_stride + i]);
#pragma GCC unroll 2
        for (std::size_t b = 0; b < B; ++b) sum[r][b] = _mm512_dpbf16_ps(sum[r][b], (__m512bh)w, (__m512bh)x[b]);
      }
    }
#pragma GCC unroll 16
    for (std::size_t r = 0; r < R; ++r) {
#pragma GCC unroll 2
      for (std::size_t b = 0; b < B; ++b) _mm512_store_ps(output + b * output_stride + r * block_tokens, sum[r][b]);
    }
  }
};

/// The bits of the nearest bf16 numbers, each in the upper half of its 32 bits; the lower half is meaningless.
__attribute__((always_inline, target("avx512f"))) inline __m512i round_to_bfloat16(__m512 value) {
  __m512i const bits = _mm512_castps_si512(value);
  __m512i const odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  __m512i const rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  __m512i const quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x00400000));
  return _mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q), quiet);
}

/// Rounds a block of 16 tokens and pairs its features; the last of an odd number is paired with 0.
__attribute__((noinline, visibility("hidden"), target("avx512f"))) inline void pair_block(std::size_t features,
                                                                                          float const* in, float* out) {
  for (std::size_t f = 0; f < features; f += 2) {
    __m512i const lower = _mm512_srli_epi32(round_to_bfloat16(_mm512_load_ps(in + f * block_tokens)), 16);
    __m512i upper = _mm512_setzero_si512();
    if (f + 1 < features)
      upper = _mm512_and_si512(round_to_bfloat16(_mm512_load_ps(in + (f + 1) * block_tokens)),
                               _mm512_set1_epi32(static_cast<int>(0xffff0000U)));
    _mm512_store_si512(out + f / 2 * block_tokens, _mm512_or_si512(lower, upper));
  }
}

/// Rounds a row of weights; the last of an odd number is paired with 0.
__attribute__((noinline, visibility("hidden"), target("avx512f"))) inline void pair_row(std::size_t columns,
                                                                                        float const* in, float* out) {
  auto* to = reinterpret_cast<__m256i*>(out);
  std::size_t i = 0;
  for (; i + 16 <= columns; i += 16)
    _mm256_storeu_si256(to++, _mm512_cvtepi32_epi16(_mm512_srli_epi32(round_to_bfloat16(_mm512_loadu_ps(in + i)), 16)));
  if (i == columns) return;
  alignas(64) float rest[16] = {};
  for (std::size_t k = 0; i + k < columns; ++k) rest[k] = in[i + k];
  alignas(32) std::int32_t pairs[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(pairs),
                     _mm512_cvtepi32_epi16(_mm512_srli_epi32(round_to_bfloat16(_mm512_load_ps(rest)), 16)));
  std::memcpy(to, pairs, (columns - i + 1) / 2 * sizeof(pairs[0]));
}

}  // namespace detail

/// The product of pairs; see multiplies_pairs().
inline constexpr Product pair_product = &detail::product<detail::PairKernel>;

#endif

}  // namespace zeroth::ZEROTH_ISA::model::cpu
