// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/error.hpp>
#include <zeroth_model/text/unicode.hpp>

namespace zeroth::ZEROTH_ISA::model::detail {

/// Throws InvalidArgument unless SentencePiece can follow these compiled normalisation rules without reading out of
/// bounds.
///
/// They consist of a size in four bytes, that many bytes of a double-array trie (of darts-clone: units of four bytes),
/// and strings that end in zeros. At each step, a lookup reads the unit at the distance of an arbitrary byte, so the
/// whole trie is walked here; empty rules are no rules. The library stores all rules that begin a text in an array of
/// 32, and follows a path as long as the text does: a path that led back would take it through the whole text.
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
  if (strings.back() != '\0' || !is_utf8(strings)) fail("UTF-8 strings that end in a zero");

  const std::size_t size = trie_bytes / 4;
  const auto unit = [&](std::size_t i) { return word(4 + 4 * i); };
  const auto offset = [](std::uint32_t u) { return std::size_t{u >> 10} << ((u & 0x200u) >> 6); };
  // The library has room for this many rules that begin a text.
  constexpr std::uint8_t most = 32;
  constexpr std::uint8_t open = 254;
  constexpr std::uint8_t unseen = 255;
  // For each place, the most rules on a path from it; builders let equal paths share places.
  std::vector<std::uint8_t> rules(size, unseen);
  struct Step {
    std::size_t base;
    std::size_t byte = 0;  ///< next byte to try
    std::uint8_t rules = 0;
  };
  std::vector<Step> way;
  const auto enter = [&](std::size_t base) {
    if ((base | 0xFF) >= size) fail("a trie whose units stay inside it");
    if (rules[base] == open) fail("a trie without cycles");
    if (rules[base] != unseen) return false;
    rules[base] = open;
    way.push_back({.base = base});
    return true;
  };
  enter(offset(unit(0)));
  while (!way.empty()) {
    Step& step = way.back();
    if (step.byte == 256) {
      rules[step.base] = step.rules;
      way.pop_back();
      continue;
    }
    const std::size_t at = step.base ^ step.byte;
    const std::uint32_t child = unit(at);
    if ((child & 0x800000FFu) == step.byte) {
      const std::size_t next = at ^ offset(child);
      if (enter(next)) continue;
      const bool is_rule = (child & 0x100u) != 0;
      if (is_rule && (unit(next) & 0x7FFFFFFFu) >= strings.size())
        fail("strings at the places that the trie points to");
      step.rules = std::max(step.rules, static_cast<std::uint8_t>(rules[next] + (is_rule ? 1 : 0)));
      if (step.rules > most) fail("at most 32 rules that each begin the next");
    }
    ++step.byte;
  }
}

}  // namespace zeroth::ZEROTH_ISA::model::detail
