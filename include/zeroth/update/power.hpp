// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA::detail {

/// base^exponent by products alone, so that it has the same bits on every machine; std::pow does not promise that.
[[nodiscard]] inline double power(double base, std::uint64_t exponent) noexcept {
  double result = 1;
  for (; exponent != 0; exponent /= 2, base *= base)
    if (exponent % 2 == 1) result *= base;
  return result;
}

}  // namespace zeroth::ZEROTH_ISA::detail
