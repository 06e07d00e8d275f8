// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include <zeroth_model/text/unicode_tables.hpp>

namespace zeroth::ZEROTH_ISA::model {

namespace detail {

constexpr CharacterClass search_character_class(char32_t code_point) {
  const auto next = std::upper_bound(std::begin(character_class_runs), std::end(character_class_runs),
                                     static_cast<std::uint32_t>(code_point) * 8 + 7);
  return static_cast<CharacterClass>(*std::prev(next) & 7u);
}

/// The classes of ASCII, the bulk of most text, looked up without a search.
inline constexpr std::array<CharacterClass, 128> ascii_classes = [] {
  std::array<CharacterClass, 128> classes{};
  for (char32_t c = 0; c < 128; ++c) classes[c] = search_character_class(c);
  return classes;
}();

}  // namespace detail

/// Class of a code point; see CharacterClass.
inline CharacterClass character_class(char32_t code_point) {
  return code_point < 128 ? detail::ascii_classes[code_point] : detail::search_character_class(code_point);
}

/// Result of next_character(): a code point and the bytes that it took.
struct Character {
  char32_t code_point = 0;
  std::size_t length = 0;  ///< in bytes
  bool valid = false;
};

/// Reads the character that begins at `text[position]`, `position < text.size()`.
///
/// If the bytes are not UTF-8, the result is not valid, its code point is U+FFFD, and its length is that of the maximal
/// invalid subpart (The Unicode Standard, section 3.9, "U+FFFD Substitution of Maximal Subparts").
inline Character next_character(std::string_view text, std::size_t position) {
  const auto byte_at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte_at(position);
  if (lead < 0x80) return {lead, 1, true};

  // Table 3-7 of the standard: only the second byte's range depends on the lead.
  std::size_t length = 0;
  unsigned low = 0x80;
  unsigned high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  }
  char32_t code_point = lead & (0xFFu >> (length + 1));
  std::size_t taken = 1;
  while (taken < length && position + taken < text.size()) {
    const unsigned char byte = byte_at(position + taken);
    if (byte < low || byte > high) break;
    low = 0x80;
    high = 0xBF;
    code_point = (code_point << 6) | (byte & 0x3Fu);
    ++taken;
  }
  if (length == 0 || taken < length) return {U'\uFFFD', taken, false};
  return {code_point, length, true};
}

/// Whether all of `text` is UTF-8.
inline bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const Character character = next_character(text, i);
    if (!character.valid) return false;
    i += character.length;
  }
  return true;
}

/// A copy of `text` with U+FFFD in place of each maximal invalid subpart, like Python's
/// `text.decode("utf-8", errors="replace")`.
inline std::string replace_invalid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const Character character = next_character(text, i);
    result += character.valid ? text.substr(i, character.length) : std::string_view("\xEF\xBF\xBD");
    i += character.length;
  }
  return result;
}

}  // namespace zeroth::ZEROTH_ISA::model
