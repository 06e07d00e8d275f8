// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <zeroth_model/text/unicode.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// GPT-2's alphabet for byte-level BPE: the code point that represents each of the 256 bytes. Bytes that are printable
/// in Latin-1 represent themselves; the others get U+0100, U+0101, ... in ascending order.
inline constexpr std::array<char16_t, 256> byte_alphabet = [] {
  std::array<char16_t, 256> alphabet{};
  char16_t next = 256;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    alphabet[byte] = printable ? static_cast<char16_t>(byte) : next++;
  }
  return alphabet;
}();

/// UTF-8 of the character that represents `byte`.
inline std::string byte_alphabet_text(unsigned char byte) {
  const char16_t code_point = byte_alphabet[byte];
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  return {static_cast<char>(0xC0 | (code_point >> 6)), static_cast<char>(0x80 | (code_point & 0x3F))};
}

/// The bytes of a token written in byte_alphabet; nothing if a character is outside the alphabet.
inline std::optional<std::string> bytes_of_token(std::string_view token) {
  static constexpr std::array<std::int16_t, 324> bytes = [] {
    std::array<std::int16_t, 324> inverse{};
    for (auto& byte : inverse) byte = -1;
    for (std::size_t byte = 0; byte < 256; ++byte) inverse[byte_alphabet[byte]] = static_cast<std::int16_t>(byte);
    return inverse;
  }();
  std::string result;
  for (std::size_t i = 0; i < token.size();) {
    const Character character = next_character(token, i);
    if (!character.valid || character.code_point >= bytes.size() || bytes[character.code_point] < 0)
      return std::nullopt;
    result += static_cast<char>(bytes[character.code_point]);
    i += character.length;
  }
  return result;
}

}  // namespace zeroth::ZEROTH_ISA::model
