// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <zeroth_model/tokenizer/byte_trie.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Finds, at each place of a text, the longest of a set of texts that begins there: the automaton of Aho and Corasick
/// ("Efficient string matching", 1975) for the reversed texts, run over a text from its end.
///
/// Building takes O(B log T) for T texts of B bytes in total; a search takes at most two transitions per byte searched,
/// whatever the texts are. Memory: 17 bytes per byte of the texts. Immutable after construction.
class TokenFinder {
 public:
  TokenFinder() : TokenFinder(std::span<const std::string_view>{}) {}

  /// Reads `texts`, fewer than 2^31 bytes in total, and keeps no view of them. Empty ones are never found; of two equal
  /// ones, the later is found.
  explicit TokenFinder(std::span<const std::string_view> texts)
      : trie_(texts, ByteTrie::Direction::backwards), failures_(trie_.size()), longest_(trie_.size(), ByteTrie::none) {
    for (ByteTrie::Node node = 0; node < trie_.size(); ++node) {
      if (node != ByteTrie::root) {
        longest_[node] = trie_.text(node) != ByteTrie::none ? trie_.text(node) : longest_[failures_[node]];
      }
      const auto [begin, end] = trie_.children(node);
      for (ByteTrie::Node child = begin; child < end; ++child) {
        failures_[child] = node == ByteTrie::root ? node : step(failures_[node], trie_.byte(child));
      }
    }
  }

  /// Calls `use(position, index)` for each place of `text` at which one of the texts begins, from end to beginning,
  /// with the index of the longest. Returns the transitions tried, at most 2 per byte.
  template <class Use>
  std::size_t search_backwards(std::string_view text, Use&& use) const {
    ByteTrie::Node node = ByteTrie::root;
    std::size_t tried = 0;
    for (std::size_t i = text.size(); i-- > 0;) {
      node = step(node, text[i], tried);
      if (longest_[node] != ByteTrie::none) use(i, static_cast<std::size_t>(longest_[node]));
    }
    return tried;
  }

 private:
  /// The node of the longest suffix read so far that is a prefix of a reversed text.
  ByteTrie::Node step(ByteTrie::Node node, char byte, std::size_t& tried) const {
    while (true) {
      ++tried;
      const ByteTrie::Node next = trie_.child(node, byte);
      if (next != ByteTrie::root || node == ByteTrie::root) return next;
      node = failures_[node];
    }
  }

  ByteTrie::Node step(ByteTrie::Node node, char byte) const {
    std::size_t tried = 0;
    return step(node, byte, tried);
  }

  ByteTrie trie_;
  std::vector<ByteTrie::Node> failures_;  ///< where to continue if no child has the byte
  std::vector<std::int32_t> longest_;     ///< the index of the longest text found at the node, or none
};

}  // namespace zeroth::ZEROTH_ISA::model
