// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// A number for a message, in the shortest form that reads back as the same: "-1", "1e-60", "0.1", "nan".
template <class Number>
requires std::integral<Number> || std::floating_point<Number>
[[nodiscard]] std::string number_text(Number value) {
  std::array<char, 64> text{};
  auto const [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

/// All 16 digits of a hash: "0x00000000cafef00d".
[[nodiscard]] inline std::string hexadecimal(std::uint64_t value) {
  std::string text = "0x";
  for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[value >> shift & 0xfU];
  return text;
}

}  // namespace zeroth::ZEROTH_ISA
