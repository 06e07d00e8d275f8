// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <string>

namespace zeroth {

/// A number for a message, in the shortest form that reads back as the same: "-1", "1e-60", "0.1", "nan".
template <class Number>
requires std::integral<Number> || std::floating_point<Number>
[[nodiscard]] std::string number_text(Number value) {
  std::array<char, 64> text{};
  auto const [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

}  // namespace zeroth
