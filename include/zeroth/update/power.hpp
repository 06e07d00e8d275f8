// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <zeroth/config.hpp>
#include <zeroth/numeric/rounded.hpp>

namespace zeroth::ZEROTH_ISA::detail {

/// base^exponent using only products, each rounded, so the bits are the same on every machine; std::pow does not
/// promise that.
[[nodiscard]] inline double power(double base, std::uint64_t exponent) noexcept {
  double result = 1;
  for (; exponent != 0; exponent /= 2, base = rounded_product(base, base))
    if (exponent % 2 == 1) result = rounded_product(result, base);
  return result;
}

}  // namespace zeroth::ZEROTH_ISA::detail
