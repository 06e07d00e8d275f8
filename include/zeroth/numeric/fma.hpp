// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

namespace detail {

/// a b + c rounded once, in double arithmetic and without a call.
///
/// The product of two singles is exact in double, and the sum there has 29 bits more than the result. Rounding it a
/// second time goes wrong only if it lies in the very middle of two singles without being the exact sum. Then, and
/// where the result may be subnormal and its middles lie elsewhere, the sum is rounded to odd: to nearest, then to the
/// neighbour whose last bit is set if anything was lost, after which a second rounding is that of the exact sum (Boldo
/// and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008). What was lost is exact too (Knuth's two-sum).
/// Contraction changes nothing, for the product is exact.
[[nodiscard]] inline float software_fma(float a, float b, float c) noexcept {
  double const product = static_cast<double>(a) * static_cast<double>(b);
  auto const addend = static_cast<double>(c);
  double const sum = product + addend;
  std::uint64_t bits;
  std::memcpy(&bits, &sum, sizeof sum);
  bool const is_normal = (bits & 0x7fffffffffffffffU) >= 0x3810000000000000U;  // |sum| >= 2^-126
  if (is_normal && (bits & 0x1fffffffU) != 0x10000000U) return static_cast<float>(sum);
  double const added = sum - product;
  double const lost = (product - (sum - added)) + (addend - added);
  // Of a sum that is not finite nothing is lost but a NaN, of which neither comparison holds.
  if ((lost > 0 || lost < 0) && bits % 2 == 0) bits = (lost > 0) == (sum > 0) ? bits + 1 : bits - 1;
  double odd;
  std::memcpy(&odd, &bits, sizeof odd);
  return static_cast<float>(odd);
}

}  // namespace detail

/// a b + c rounded once, as IEEE 754 says: the instruction where the target has it, or else arithmetic in double that
/// gives the same bits. std::fma would be a call into the library for each element there.
[[nodiscard]] ZEROTH_HOST_DEVICE inline float fused_multiply_add(float a, float b, float c) noexcept {
#if defined(__CUDA_ARCH__) || !defined(__SSE2_MATH__) || defined(__FMA__)
  return std::fma(a, b, c);
#else
  return detail::software_fma(a, b, c);
#endif
}

}  // namespace zeroth::ZEROTH_ISA
