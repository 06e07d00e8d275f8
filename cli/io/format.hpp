// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

namespace zeroth::cli {

/// As std::printf writes it; cut off after 255 characters.
template <class... T>
[[nodiscard]] std::string format(char const* pattern, T... values) {
  std::array<char, 256> text{};
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

/// `value`, or a NaN that is written "nan": processors make "-nan" of as many faults.
[[nodiscard]] inline double unsigned_nan(double value) {
  return std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value;
}

}  // namespace zeroth::cli
