// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
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

/// What a thread of this machine, or some threads together, can do at best, measured now.
struct Peaks {
  double read = 0;      ///< bytes/s of memory read
  double copy = 0;      ///< bytes/s of memory copied, read and written bytes together
  double update = 0;    ///< bytes/s of memory changed in place, read and written bytes together
  double fma = 0;       ///< f32 operations/s in multiply-adds of two each, in registers
  double multiply = 0;  ///< products/s of 32 x 32 bits to 64, in registers: what Philox is made of
};

namespace detail {

/// The shortest of some runs, in seconds.
template <class F>
double shortest(int runs, F&& call) {
  double best = 1e300;
  for (int i = 0; i < runs; ++i) {
    auto const start = std::chrono::steady_clock::now();
    call();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

// Chains of dependent operations; there are enough of them side by side to hide each one's latency.
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
__attribute__((target("avx512f"))) inline int multiply_avx512(std::uint64_t rounds) {
  __m512i words[chains];
  for (auto& word : words) word = _mm512_set1_epi32(0x12345679);
  __m512i const factor = _mm512_set1_epi32(static_cast<int>(0xD2511F53U));
  for (std::uint64_t i = 0; i < rounds; ++i)
    for (auto& word : words) word = _mm512_maskz_mul_epu32(0xff, word, factor);
  __m512i total = words[0];
  for (std::size_t k = 1; k < chains; ++k) total = _mm512_xor_si512(total, words[k]);
  return _mm512_cvtsi512_si32(total);
}
__attribute__((target("avx2"))) inline int multiply_avx2(std::uint64_t rounds) {
  __m256i words[chains];
  for (auto& word : words) word = _mm256_set1_epi32(0x12345679);
  __m256i const factor = _mm256_set1_epi32(static_cast<int>(0xD2511F53U));
  for (std::uint64_t i = 0; i < rounds; ++i)
    for (auto& word : words) word = _mm256_mul_epu32(word, factor);
  __m256i total = words[0];
  for (std::size_t k = 1; k < chains; ++k) total = _mm256_xor_si256(total, words[k]);
  return _mm256_extract_epi32(total, 0);
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
inline std::uint32_t multiply_portable(std::uint64_t rounds) {
  std::uint64_t words[chains];
  for (std::uint64_t& word : words) word = 0x12345679U;
  for (std::uint64_t i = 0; i < rounds; ++i)
    for (std::uint64_t& word : words) word = (word & 0xffffffffU) * 0xD2511F53U;
  std::uint64_t total = 0;
  for (std::uint64_t word : words) total ^= word;
  return static_cast<std::uint32_t>(total);
}

/// Where results go, so that they are wanted.
inline volatile double sink;

/// f32 operations and 32-bit products a second of all threads together, in the widest instructions there are.
inline void measure_compute(Peaks& peaks, zeroth::AnyExecutor executor) {
  constexpr std::uint64_t rounds = 2'000'000;
  std::size_t const threads = executor.concurrency();
  auto run = [&](auto kernel, std::size_t lanes) {
    double const seconds = shortest(
        5, [&] { executor.parallel_for(threads, [&](std::size_t) { sink = static_cast<double>(kernel(rounds)); }); });
    return static_cast<double>(threads * chains * lanes * rounds) / seconds;
  };
#if ZEROTH_X86_DISPATCH
  using zeroth::InstructionSet;
  if (zeroth::best_instruction_set() == InstructionSet::avx512) {
    peaks.fma = 2 * run(fma_avx512, 16);
    peaks.multiply = run(multiply_avx512, 8);
    return;
  }
  if (zeroth::best_instruction_set() == InstructionSet::avx2) {
    peaks.fma = 2 * run(fma_avx2, 8);
    peaks.multiply = run(multiply_avx2, 4);
    return;
  }
#endif
  peaks.fma = 2 * run(fma_portable, 1);
  peaks.multiply = run(multiply_portable, 1);
}

}  // namespace detail

/// @param bytes of memory to go through: more than the caches hold
[[nodiscard]] inline Peaks measure_peaks(zeroth::AnyExecutor executor, std::size_t bytes) {
  Peaks peaks;
  detail::measure_compute(peaks, executor);
  std::size_t const threads = executor.concurrency();
  std::size_t const words = bytes / sizeof(std::uint64_t) / threads * threads;
  std::vector<std::uint64_t> from(words, 1);
  std::vector<std::uint64_t> to(words, 2);
  std::size_t const share = words / threads;
  auto rate = [&](double passes, auto&& body) {
    double const seconds =
        detail::shortest(5, [&] { executor.parallel_for(threads, [&](std::size_t thread) { body(thread * share); }); });
    return passes * static_cast<double>(words * sizeof(std::uint64_t)) / seconds;
  };
  peaks.read = rate(1, [&](std::size_t first) {
    std::uint64_t sum = 0;
    for (std::size_t i = first; i < first + share; ++i) sum += from[i];
    detail::sink = static_cast<double>(sum);
  });
  peaks.copy =
      rate(2, [&](std::size_t first) { std::memcpy(&to[first], &from[first], share * sizeof(std::uint64_t)); });
  peaks.update = rate(2, [&](std::size_t first) {
    for (std::size_t i = first; i < first + share; ++i) from[i] += 1;
  });
  return peaks;
}

}  // namespace zeroth_bench
