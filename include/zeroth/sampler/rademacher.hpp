// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include <zeroth/numeric/array.hpp>
#include <zeroth/random/philox.hpp>

namespace zeroth::ZEROTH_ISA {

/// z = +1 or -1 with equal odds: the cheapest direction, one random bit per value (a set bit means -1).
struct Rademacher {
  [[nodiscard]] ZEROTH_HOST_DEVICE Array<float, 128> operator()(RandomBlock const& block) const noexcept {
    Array<float, 128> values;
    for (unsigned i = 0; i < 128; ++i) values[i] = value(block, i);
    return values;
  }

  /// Only the i-th of them.
  [[nodiscard]] ZEROTH_HOST_DEVICE static float value(RandomBlock const& block, unsigned i) noexcept {
    return (block[i / 32] >> (i % 32) & 1U) != 0 ? -1.0F : 1.0F;
  }

  [[nodiscard]] static constexpr std::string_view name() noexcept { return "rademacher"; }
  bool operator==(Rademacher const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA
