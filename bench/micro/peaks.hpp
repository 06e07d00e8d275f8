// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <zeroth/backend/cpu/instruction_set.hpp>
#include <zeroth/executor.hpp>

#if ZEROTH_X86_DISPATCH
#include <immintrin.h>
#endif

namespace zeroth_bench {

/// The peak rates of one thread of this machine, or of several together, measured now.
struct Peaks {
  double read = 0;      ///< bytes/s of memory read
  double copy = 0;      ///< bytes/s of memory copied, read and written bytes together
  double update = 0;    ///< bytes/s of memory changed in place, read and written bytes together
  double fma = 0;       ///< f32 operations/s in multiply-adds of two each, in registers
  double multiply = 0;  ///< products/s of 32 x 32 bits to 64, in registers: Philox's main operation
};

namespace detail {

// Chains of dependent operations; there are enough of them in parallel to hide each one's latency.
inline constexpr std::size_t chains = 12;

#if ZEROTH_X86_DISPATCH
__attribute__((target("avx512f"))) inline float fma_avx512(std::uint64_t rounds) {
  __m512 sums[chains];
  for (auto& sum : sums) sum = _mm512_set1_ps(1.0F);
  __m512 const factor = _mm512_set1_ps(0.999F);
  for (std::uint64_t i = 0; i < rounds; ++i)
    for (auto& sum : sums) sum = _mm512_fmadd_ps(sum, factor, factor);
  __m512 total = sums[0];
  for (std::size_t k = 1; k < chains; ++k) total = _mm512_add_ps(total, sums[k]);
  return _mm512_cvtss_f32(total);
}
__attribute__((target("avx2,fma"))) inline float fma_avx2(std::uint64_t rounds) {
  __m256 sums[chains];
  for (auto& sum : sums) sum = _mm256_set1_ps(1.0F);
  __m256 const factor = _mm256_set1_ps(0.999F);
  for (std::uint64_t i = 0; i < rounds; ++i)
    for (auto& sum : sums) sum = _mm256_fmadd_ps(sum, factor, factor);
  __m256 total = sums[0];
  for (std::size_t k = 1; k < chains; ++k) total = _mm256_add_ps(total, sums[k]);
  return _mm256_cvtss_f32(total);
}
__attribute__((target("avx512f"))) inline std::uint64_t multiply_avx512(std::uint64_t rounds) {
  __m512i words[chains];
  for (auto& word : words) word = _mm512_set1_epi32(0x12345679);
  __m512i const factor = _mm512_set1_epi32(static_cast<int>(0xD2511F53U));
  for (std::uint64_t i = 0; i < rounds; ++i)
    for (auto& word : words) word = _mm512_maskz_mul_epu32(0xff, word, factor);
  __m512i total = words[0];
  for (std::size_t k = 1; k < chains; ++k) total = _mm512_xor_si512(total, words[k]);
  return static_cast<std::uint32_t>(_mm512_cvtsi512_si32(total));
}
__attribute__((target("avx2"))) inline std::uint64_t multiply_avx2(std::uint64_t rounds) {
  __m256i words[chains];
  for (auto& word : words) word = _mm256_set1_epi32(0x12345679);
  __m256i const factor = _mm256_set1_epi32(static_cast<int>(0xD2511F53U));
  for (std::uint64_t i = 0; i < rounds; ++i)
    for (auto& word : words) word = _mm256_mul_epu32(word, factor);
  __m256i total = words[0];
  for (std::size_t k = 1; k < chains; ++k) total = _mm256_xor_si256(total, words[k]);
  return static_cast<std::uint32_t>(_mm256_extract_epi32(total, 0));
}
#endif

inline float fma_portable(std::uint64_t rounds) {
  float sums[chains];
  for (float& sum : sums) sum = 1.0F;
  for (std::uint64_t i = 0; i < rounds; ++i)
    for (float& sum : sums) sum = sum * 0.999F + 0.999F;
  float total = 0;
  for (float sum : sums) total += sum;
  return total;
}
inline std::uint64_t multiply_portable(std::uint64_t rounds) {
  std::uint64_t words[chains];
  for (std::uint64_t& word : words) word = 0x12345679U;
  for (std::uint64_t i = 0; i < rounds; ++i)
    for (std::uint64_t& word : words) word = (word & 0xffffffffU) * 0xD2511F53U;
  std::uint64_t total = 0;
  for (std::uint64_t word : words) total ^= word;
  return total;
}

/// Keeps the compiler from discarding results.
inline volatile double sink;

/// The kernels for the widest instructions available, and how many values each of their operations processes.
struct ComputeKernels {
  float (*fma)(std::uint64_t) = fma_portable;
  double fma_lanes = 1;
  std::uint64_t (*multiply)(std::uint64_t) = multiply_portable;
  double multiply_lanes = 1;
};

inline ComputeKernels compute_kernels() {
#if ZEROTH_X86_DISPATCH
  using zeroth::InstructionSet;
  if (zeroth::best_instruction_set() == InstructionSet::avx512) return {fma_avx512, 16, multiply_avx512, 8};
  if (zeroth::best_instruction_set() == InstructionSet::avx2) return {fma_avx2, 8, multiply_avx2, 4};
#endif
  return {};
}

}  // namespace detail

/// The best of many short alternating measurements, so that the slow moments of a shared machine spoil none of them.
/// @param bytes of memory to traverse, piece by piece: more than the caches hold
[[nodiscard]] inline Peaks measure_peaks(zeroth::AnyExecutor executor, std::size_t bytes) {
  constexpr std::size_t piece = std::size_t{1} << 20;  // of 64-bit words: 8 MiB, a fraction of a millisecond
  constexpr int rounds = 6;
  constexpr std::uint64_t operations = 200'000;
  std::size_t const threads = executor.concurrency();
  std::size_t const pieces = bytes / sizeof(std::uint64_t) / piece;
  std::vector<std::uint64_t> from(pieces * piece, 1);
  std::vector<std::uint64_t> to(pieces * piece, 2);
  constexpr auto moved = static_cast<double>(piece * sizeof(std::uint64_t));
  detail::ComputeKernels const kernels = detail::compute_kernels();
  auto const chained = static_cast<double>(threads * detail::chains * operations);

  Peaks peaks;
  auto measure = [&](double& best, double work, auto&& body) {
    auto const start = std::chrono::steady_clock::now();
    executor.parallel_for(threads, body);
    std::chrono::duration<double> const seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, work / seconds.count());
  };
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t p = 0; p < pieces; ++p) {
      auto first = [&](std::size_t thread) { return p * piece + piece * thread / threads; };
      measure(peaks.fma, 2 * kernels.fma_lanes * chained,
              [&](std::size_t) { detail::sink = static_cast<double>(kernels.fma(operations)); });
      measure(peaks.multiply, kernels.multiply_lanes * chained,
              [&](std::size_t) { detail::sink = static_cast<double>(kernels.multiply(operations)); });
      measure(peaks.copy, 2 * moved, [&](std::size_t thread) {
        std::memcpy(&to[first(thread)], &from[first(thread)], (first(thread + 1) - first(thread)) * sizeof from[0]);
      });
    }
    for (std::size_t p = 0; p < pieces; ++p) {
      auto first = [&](std::size_t thread) { return p * piece + piece * thread / threads; };
      measure(peaks.read, moved, [&](std::size_t thread) {
        std::array<std::uint64_t, 8> sums{};
        std::uint64_t const* const words = from.data();
        std::size_t const end = first(thread + 1);
        for (std::size_t i = first(thread); i + 8 <= end; i += 8)
          for (std::size_t k = 0; k < 8; ++k) sums[k] += words[i + k];
        std::uint64_t total = 0;
        for (std::uint64_t sum : sums) total += sum;
        detail::sink = static_cast<double>(total);
      });
    }
    for (std::size_t p = 0; p < pieces; ++p) {
      auto first = [&](std::size_t thread) { return p * piece + piece * thread / threads; };
      measure(peaks.update, 2 * moved, [&](std::size_t thread) {
        std::uint64_t* const words = from.data();
        std::size_t const end = first(thread + 1);
        for (std::size_t i = first(thread); i < end; ++i) words[i] += 1;
      });
    }
  }
  return peaks;
}

}  // namespace zeroth_bench
