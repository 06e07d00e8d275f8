// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include <zeroth_model/text/unicode.hpp>
#include <zeroth_model/tokenizer/normalization_tables.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// How a text is normalised before it is split into words.
enum class Normalization {
  none,
  nfc,  ///< see nfc()
};

namespace detail {

// The Unicode Standard, section 3.12: syllables of Hangul decompose by arithmetic.
inline constexpr std::uint32_t hangul_first = 0xAC00;
inline constexpr std::uint32_t hangul_count = 11172;
inline constexpr std::uint32_t hangul_leads = 0x1100;
inline constexpr std::uint32_t hangul_vowels = 0x1161;
inline constexpr std::uint32_t hangul_trails = 0x11A7;  ///< one before the first
inline constexpr std::uint32_t hangul_vowel_count = 21;
inline constexpr std::uint32_t hangul_trail_count = 28;

inline std::uint8_t combining_class(char32_t code_point) {
  const auto next = std::upper_bound(std::begin(combining_class_runs), std::end(combining_class_runs),
                                     static_cast<std::uint32_t>(code_point) * 256 + 255);
  return static_cast<std::uint8_t>(*std::prev(next) & 255u);
}

/// Appends the canonical decomposition of `code_point`, its marks in the order in which they are written.
inline void append_decomposed(std::u32string& out, char32_t code_point) {
  const std::uint32_t syllable = static_cast<std::uint32_t>(code_point) - hangul_first;
  if (syllable < hangul_count) {
    out += static_cast<char32_t>(hangul_leads + syllable / (hangul_vowel_count * hangul_trail_count));
    out += static_cast<char32_t>(hangul_vowels + syllable / hangul_trail_count % hangul_vowel_count);
    if (const std::uint32_t trail = syllable % hangul_trail_count; trail != 0) {
      out += static_cast<char32_t>(hangul_trails + trail);
    }
    return;
  }
  // Only the first of a pair decomposes further, at most four times.
  std::array<char32_t, 8> seconds{};
  std::size_t count = 0;
  while (true) {
    const auto* const pair =
        std::lower_bound(std::begin(canonical_pairs), std::end(canonical_pairs), code_point,
                         [](const CanonicalPair& entry, char32_t wanted) { return entry.composed < wanted; });
    if (pair == std::end(canonical_pairs) || pair->composed != code_point) break;
    if (pair->second != 0) seconds[count++] = static_cast<char32_t>(pair->second);
    code_point = static_cast<char32_t>(pair->first);
  }
  out += code_point;
  while (count > 0) out += seconds[--count];
}

/// The code point that the two compose to, or 0.
inline char32_t composed(char32_t first, char32_t second) {
  const std::uint32_t lead = static_cast<std::uint32_t>(first) - hangul_leads;
  const std::uint32_t vowel = static_cast<std::uint32_t>(second) - hangul_vowels;
  if (lead < 19 && vowel < hangul_vowel_count) {
    return static_cast<char32_t>(hangul_first + (lead * hangul_vowel_count + vowel) * hangul_trail_count);
  }
  const std::uint32_t syllable = static_cast<std::uint32_t>(first) - hangul_first;
  const std::uint32_t trail = static_cast<std::uint32_t>(second) - hangul_trails;
  if (syllable < hangul_count && syllable % hangul_trail_count == 0 && trail > 0 && trail < hangul_trail_count) {
    return static_cast<char32_t>(first + trail);
  }
  const auto* const entry =
      std::lower_bound(std::begin(canonical_compositions), std::end(canonical_compositions), std::pair(first, second),
                       [](std::uint16_t index, const std::pair<char32_t, char32_t>& wanted) {
                         const CanonicalPair& pair = canonical_pairs[index];
                         return pair.first != wanted.first ? pair.first < wanted.first : pair.second < wanted.second;
                       });
  if (entry == std::end(canonical_compositions)) return 0;
  const CanonicalPair& pair = canonical_pairs[*entry];
  return pair.first == first && pair.second == second ? static_cast<char32_t>(pair.composed) : 0;
}

/// Puts the marks after each starter in the order of their classes.
inline void order_marks(std::u32string& text) {
  const auto is_mark = [](char32_t code_point) { return combining_class(code_point) != 0; };
  for (auto begin = text.begin(); begin != text.end();) {
    begin = std::find_if(begin, text.end(), is_mark);
    const auto end = std::find_if_not(begin, text.end(), is_mark);
    std::stable_sort(begin, end, [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
}

/// Composes, in place, each starter with the code points after it that are not blocked from it.
inline void compose(std::u32string& text) {
  constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::size_t size = 0;
  std::size_t starter = none;
  std::uint8_t last = 0;  ///< class of the last code point kept
  for (const char32_t code_point : text) {
    const std::uint8_t kind = combining_class(code_point);
    if (starter != none && (starter + 1 == size || last < kind)) {
      if (const char32_t whole = composed(text[starter], code_point); whole != 0) {
        text[starter] = whole;
        continue;
      }
    }
    if (kind == 0) starter = size;
    last = kind;
    text[size++] = code_point;
  }
  text.resize(size);
}

}  // namespace detail

/// Appends the UTF-8 of a code point that is not a surrogate.
inline void append_utf8(std::string& out, char32_t code_point) {
  const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80 | ((code_point >> shift) & 0x3F)); };
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xC0 | (code_point >> 6));
    tail(0);
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xE0 | (code_point >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0 | (code_point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

/// Whether nfc() leaves `text` unchanged because it has nothing above U+02FF, like most text in Latin letters.
inline bool is_plainly_nfc(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0xCC; });
}

/// Normalization Form C of `text`, which must be UTF-8, in the Unicode version of Hugging Face `tokenizers`.
/// Temporarily needs about five bytes per byte of text.
inline std::string nfc(std::string_view text) {
  if (is_plainly_nfc(text)) return std::string(text);
  std::u32string code_points;
  code_points.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const Character character = next_character(text, i);
    detail::append_decomposed(code_points, character.code_point);
    i += character.length;
  }
  detail::order_marks(code_points);
  detail::compose(code_points);
  std::string result;
  result.reserve(text.size());
  for (const char32_t code_point : code_points) append_utf8(result, code_point);
  return result;
}

}  // namespace zeroth::ZEROTH_ISA::model
