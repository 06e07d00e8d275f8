// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA {

/// The layer of a tensor: "blk.3." of "blk.3.attn_q.weight", the name up to its first numeric part, or all of it.
[[nodiscard]] inline std::string layer_of(std::string_view name) {
  std::size_t begin = 0;
  while (begin < name.size()) {
    std::size_t const end = std::min(name.find('.', begin), name.size());
    std::string_view const part = name.substr(begin, end - begin);
    if (!part.empty() && std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; }))
      return std::string(name.substr(0, end)) + ".";
    begin = end + 1;
  }
  return std::string(name);
}

}  // namespace zeroth::ZEROTH_ISA
