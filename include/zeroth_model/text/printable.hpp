// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include <zeroth/config.hpp>
#include <zeroth_model/text/unicode.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Whether a terminal or text viewer does something other than show this character: a control character (C0, DEL, C1:
/// escape sequences begin with one), a mark that changes the direction of text, or a separator of lines or paragraphs.
[[nodiscard]] constexpr bool is_unprintable(char32_t c) noexcept {
  const auto within = [c](char32_t first, char32_t last) { return c >= first && c <= last; };
  return within(0, 0x1f) || within(0x7f, 0x9f) || c == 0x061c || within(0x200e, 0x200f) || within(0x2028, 0x202e) ||
         within(0x2066, 0x2069);
}

/// A copy of `text` that can be displayed: '?' replaces each character that is_unprintable, except those in `kept`
/// (ASCII), and each maximal subpart that is not UTF-8.
[[nodiscard]] inline std::string replace_unprintable(std::string_view text, std::string_view kept = {}) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const Character character = next_character(text, i);
    const bool shown = character.valid && (!is_unprintable(character.code_point) || kept.find(text[i]) != kept.npos);
    result += shown ? text.substr(i, character.length) : std::string_view("?");
    i += character.length;
  }
  return result;
}

namespace detail {

/// Prepares text from a file for a one-line message: replace_unprintable(), then a cut to `limit` bytes, between two
/// characters if the text is UTF-8.
inline std::string printable(std::string_view text, std::size_t limit = 80) {
  std::size_t length = std::min(text.size(), limit);
  constexpr std::size_t most_continuations = 3;
  for (std::size_t back = 0; back <= most_continuations && back <= length && length < text.size(); ++back) {
    if ((static_cast<unsigned char>(text[length - back]) & 0xc0u) == 0x80) continue;
    length -= back;
    break;
  }
  std::string result = replace_unprintable(text.substr(0, length));
  if (length < text.size()) result += "...";
  return result;
}

}  // namespace detail

}  // namespace zeroth::ZEROTH_ISA::model
