// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/text/unicode.hpp>

namespace zeroth::ZEROTH_ISA::model::detail {

/// Throws InvalidArgument unless SentencePiece can follow these compiled normalisation rules without leaving them.
///
/// They are a size in four bytes, that many bytes of a double-array trie (of darts-clone: units of four bytes), and
/// strings that end in zeros. A lookup reads, from where it stands, the unit at any byte's distance, so the trie is
/// walked through whole; empty rules are none.
inline void check_charsmap(std::string_view charsmap) {
  if (charsmap.empty()) return;
  const auto fail = [](const std::string& what) {
    throw InvalidArgument("sentencepiece precompiled_charsmap: expected " + what);
  };
  const auto word = [&](std::size_t at) {
    std::uint32_t result = 0;
    for (unsigned i = 0; i < 4; ++i) {
      result |= std::uint32_t{static_cast<unsigned char>(charsmap[at + i])} << (8 * i);
    }
    return result;
  };
  constexpr std::size_t limit = std::size_t{1} << 24;
  if (charsmap.size() < 8 || charsmap.size() > limit)
    fail("at most 2^24 bytes, and a trie, found " + std::to_string(charsmap.size()) + " bytes");
  const std::size_t trie_bytes = word(0);
  if (trie_bytes % 4 != 0 || trie_bytes < 4 || trie_bytes >= charsmap.size() - 4) {
    fail("a trie in whole units and strings after it, found a size of " + std::to_string(trie_bytes) + " in " +
         std::to_string(charsmap.size()) + " bytes");
  }
  const std::string_view strings = charsmap.substr(4 + trie_bytes);
  if (strings.back() != '\0' || !is_utf8(strings)) fail("strings of UTF-8 that end in a zero");

  const std::size_t size = trie_bytes / 4;
  const auto unit = [&](std::size_t i) { return word(4 + 4 * i); };
  const auto offset = [](std::uint32_t u) { return std::size_t{u >> 10} << ((u & 0x200u) >> 6); };
  std::vector<bool> seen(size);
  std::vector<std::size_t> stack;
  const auto visit = [&](std::size_t base) {
    if ((base | 0xFF) >= size) fail("a trie whose units stay inside it");
    if (!seen[base]) stack.push_back(base);
    seen[base] = true;
  };
  visit(offset(unit(0)));
  while (!stack.empty()) {
    const std::size_t base = stack.back();
    stack.pop_back();
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t child = unit(base ^ byte);
      if ((child & 0x800000FFu) != byte) continue;
      const std::size_t next = (base ^ byte) ^ offset(child);
      visit(next);
      if ((child & 0x100u) != 0 && (unit(next) & 0x7FFFFFFFu) >= strings.size()) fail("strings where the trie points");
    }
  }
}

}  // namespace zeroth::ZEROTH_ISA::model::detail
