// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace zeroth::model::detail {

/// Text from a file made fit for a one-line message: control characters replaced, long text cut.
inline std::string printable(std::string_view text) {
  constexpr std::size_t limit = 80;
  std::string result(text.substr(0, limit));
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (text.size() > limit) result += "...";
  return result;
}

}  // namespace zeroth::model::detail
