// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace zeroth::model::detail {

/// Text from a file made fit for a one-line message: control characters replaced, text of more than `limit` bytes cut,
/// between two characters if it is UTF-8.
inline std::string printable(std::string_view text, std::size_t limit = 80) {
  std::size_t length = text.size();
  if (length > limit) {
    length = limit;
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xc0u) == 0x80) --length;
  }
  std::string result(text.substr(0, length));
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (length < text.size()) result += "...";
  return result;
}

}  // namespace zeroth::model::detail
