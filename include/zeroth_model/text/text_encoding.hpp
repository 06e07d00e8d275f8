// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA::model::detail {

/// `text` without the byte order mark of UTF-8 at its beginning.
inline std::string_view without_byte_order_mark(std::string_view text) noexcept {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  if (text.starts_with(mark)) text.remove_prefix(mark.size());
  return text;
}

/// The encoding with two- or four-byte units that `text` seems to have, for messages, or an empty text. Detected by a
/// byte order mark, or by zero bytes: in ASCII text with 16-bit units, every second byte is zero.
inline std::string_view wide_encoding(std::string_view text) noexcept {
  using namespace std::string_view_literals;
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> marks = {
      {{"\xFF\xFE\0\0"sv, "UTF-32, little-endian"},
       {"\0\0\xFE\xFF"sv, "UTF-32, big-endian"},
       {"\xFF\xFE"sv, "UTF-16, little-endian"},
       {"\xFE\xFF"sv, "UTF-16, big-endian"}}};
  for (const auto& [mark, name] : marks) {
    if (text.starts_with(mark)) return name;
  }
  constexpr std::size_t looked_at = 1024;
  const std::string_view beginning = text.substr(0, looked_at);
  std::array<std::size_t, 4> zeros{};
  for (std::size_t i = 0; i < beginning.size(); ++i) zeros[i % 4] += beginning[i] == '\0' ? 1 : 0;
  const std::size_t half = beginning.size() / 8;  // half of the bytes at each position modulo 4
  if (half == 0) return {};
  if (zeros[0] > half && zeros[1] > half && zeros[2] > half && zeros[3] == 0) return "UTF-32, big-endian";
  if (zeros[1] > half && zeros[2] > half && zeros[3] > half && zeros[0] == 0) return "UTF-32, little-endian";
  if (zeros[1] > half && zeros[3] > half && zeros[0] + zeros[2] == 0) return "UTF-16, little-endian";
  if (zeros[0] > half && zeros[2] > half && zeros[1] + zeros[3] == 0) return "UTF-16, big-endian";
  return {};
}

}  // namespace zeroth::ZEROTH_ISA::model::detail
