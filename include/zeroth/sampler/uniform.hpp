// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include <zeroth/numeric/array.hpp>
#include <zeroth/random/philox.hpp>

namespace zeroth::ZEROTH_ISA {

/// z uniform over 65536 equidistant values in (-sqrt(3), sqrt(3)), with mean 0 and variance 1. 16 random bits per
/// value.
struct Uniform {
  /// sqrt(3 / (2^32 - 1)): the odd integers in (-2^16, 2^16), scaled by this, have variance 1.
  static constexpr float unit = 2.6428998e-05F;

  [[nodiscard]] ZEROTH_HOST_DEVICE static float value(std::uint32_t bits_16) noexcept {
    return static_cast<float>(static_cast<std::int32_t>(2 * bits_16) - 65535) * unit;
  }

  [[nodiscard]] ZEROTH_HOST_DEVICE Array<float, 8> operator()(RandomBlock const& block) const noexcept {
    Array<float, 8> values;
    for (unsigned word = 0; word < 4; ++word) {
      values[2 * word] = value(block[word] & 0xffffU);
      values[2 * word + 1] = value(block[word] >> 16);
    }
    return values;
  }

  [[nodiscard]] static constexpr std::string_view name() noexcept { return "uniform"; }
  bool operator==(Uniform const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA
