// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdio>
#include <string>

namespace zeroth::cli {

/// As std::printf writes it; cut off after 255 characters.
template <class... T>
[[nodiscard]] std::string format(char const* pattern, T... values) {
  std::array<char, 256> text{};
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

}  // namespace zeroth::cli
