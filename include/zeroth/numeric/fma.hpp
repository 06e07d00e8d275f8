// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

namespace detail {

/// a b + c rounded once, in double arithmetic and without a library call.
///
/// The product of two singles is exact in double, and the sum there has 29 bits more than the result. A second rounding
/// goes wrong only if the rounded sum lies exactly midway between two singles but the exact sum does not. Then, and if
/// the result may be subnormal, where the midpoints lie elsewhere, the sum is rounded to odd: to nearest, then to the
/// neighbour whose last bit is set if anything was lost, after which a second rounding is that of the exact sum (Boldo
/// and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008). What was lost is computed exactly too
/// (Knuth's two-sum). Contraction changes nothing, because the product is exact.
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
  // If the sum is not finite, `lost` is NaN, and both comparisons are false.
  if ((lost > 0 || lost < 0) && bits % 2 == 0) bits = (lost > 0) == (sum > 0) ? bits + 1 : bits - 1;
  double odd;
  std::memcpy(&odd, &bits, sizeof odd);
  return static_cast<float>(odd);
}

}  // namespace detail

/// a b + c rounded once, as IEEE 754 defines it: by the instruction if the target has it, otherwise by arithmetic in
/// double that gives the same bits. std::fma would then be a library call per element.
[[nodiscard]] ZEROTH_HOST_DEVICE inline float fused_multiply_add(float a, float b, float c) noexcept {
#if defined(__CUDA_ARCH__) || !defined(__SSE2_MATH__) || defined(__FMA__)
  return std::fma(a, b, c);
#else
  return detail::software_fma(a, b, c);
#endif
}

}  // namespace zeroth::ZEROTH_ISA
