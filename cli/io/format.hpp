// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

namespace zeroth::cli {

/// What std::printf would write, cut off after 255 characters.
template <class... T>
[[nodiscard]] std::string format(char const* pattern, T... values) {
  std::array<char, 256> text{};
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

/// `value`, or a NaN without a sign: the sign of a NaN depends on the processor, and it would be printed as "-nan".
[[nodiscard]] inline double unsigned_nan(double value) {
  return std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value;
}

}  // namespace zeroth::cli
