// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include <zeroth/numeric/array.hpp>
#include <zeroth/random/normal.hpp>
#include <zeroth/random/philox.hpp>

namespace zeroth::ZEROTH_ISA {

/// z ~ N(0, 1), as in the paper. 16 random bits per value; see normal_pair for the map and its moments.
struct Gaussian {
  [[nodiscard]] ZEROTH_HOST_DEVICE Array<float, 8> operator()(RandomBlock const& block) const noexcept {
    Array<float, 8> values;
    for (unsigned word = 0; word < 4; ++word) {
      NormalPair const pair = normal_pair(block[word]);
      values[2 * word] = pair.first;
      values[2 * word + 1] = pair.second;
    }
    return values;
  }

  [[nodiscard]] static constexpr std::string_view name() noexcept { return "gaussian"; }
  bool operator==(Gaussian const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA
