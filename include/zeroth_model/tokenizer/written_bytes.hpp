// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// U+2581, which SentencePiece writes for a space.
inline constexpr std::string_view written_space = "\xE2\x96\x81";

/// `text` with U+2581 for each space.
inline std::string with_written_spaces(std::string_view text) {
  std::string result;
  result.reserve(text.size() + text.size() / 2);
  for (const char c : text) {
    if (c == ' ') {
      result += written_space;
    } else {
      result += c;
    }
  }
  return result;
}

/// `text` with a space for each U+2581.
inline std::string with_read_spaces(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const bool space = text.substr(i).starts_with(written_space);
    result += space ? ' ' : text[i];
    i += space ? written_space.size() : 1;
  }
  return result;
}

/// "<0x00>" to "<0xFF>": the token for one byte of a character without a token.
inline std::string byte_token_text(unsigned char byte) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  return {'<', '0', 'x', digits[byte >> 4], digits[byte & 15u], '>'};
}

/// The byte that a token of that form represents; nothing for other texts.
inline std::optional<unsigned char> byte_of_token(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || !text.ends_with('>')) return std::nullopt;
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  const int high = digit(text[3]);
  const int low = digit(text[4]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<unsigned char>(high * 16 + low);
}

}  // namespace zeroth::ZEROTH_ISA::model
