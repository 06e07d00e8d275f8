// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// A set of texts, indexed by their bytes forwards or backwards. Building takes O(B log T) for T texts of B bytes in
/// total; following one byte takes O(1). Memory: 9 bytes per byte of the texts. Immutable after construction.
class ByteTrie {
 public:
  using Node = std::uint32_t;

  enum class Direction { forwards, backwards };

  static constexpr Node root = 0;
  static constexpr std::int32_t none = -1;

  /// Reads `texts`, fewer than 2^31 bytes in total, and keeps no view of them. Of two equal ones the later wins.
  explicit ByteTrie(std::span<const std::string_view> texts, Direction direction = Direction::forwards) {
    const auto byte_of = [&](std::uint32_t text, std::size_t depth) {
      const std::string_view bytes = texts[text];
      return bytes[direction == Direction::forwards ? depth : bytes.size() - 1 - depth];
    };
    std::vector<std::uint32_t> order(texts.size());
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      const std::string_view x = texts[a];
      const std::string_view y = texts[b];
      return direction == Direction::forwards
                 ? std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end(), is_less)
                 : std::lexicographical_compare(x.rbegin(), x.rend(), y.rbegin(), y.rend(), is_less);
    });

    // Nodes in order of depth, a node's children in order of their bytes; a node is a set of texts with a common
    // beginning.
    struct Range {
      std::uint32_t begin;
      std::uint32_t end;
    };
    std::vector<Range> level{{0, static_cast<std::uint32_t>(texts.size())}};
    std::vector<Range> next_level;
    bytes_.push_back('\0');
    for (std::size_t depth = 0; !level.empty(); ++depth) {
      for (const Range& range : level) {
        first_children_.push_back(static_cast<Node>(bytes_.size()));
        std::uint32_t at = range.begin;
        // Texts that end here sort before longer ones.
        while (at < range.end && texts[order[at]].size() == depth) ++at;
        texts_.push_back(at == range.begin ? none : static_cast<std::int32_t>(order[at - 1]));
        while (at < range.end) {
          const std::uint32_t begin = at;
          const char byte = byte_of(order[at], depth);
          while (at < range.end && byte_of(order[at], depth) == byte) ++at;
          next_level.push_back({begin, at});
          bytes_.push_back(byte);
        }
      }
      level.swap(next_level);
      next_level.clear();
    }
    first_children_.push_back(static_cast<Node>(bytes_.size()));
    for (Node child = 1; child < first_children_[1]; ++child)
      root_children_[static_cast<unsigned char>(bytes_[child])] = child;
  }

  /// The number of nodes; they are numbered by depth, so a parent comes before its children.
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }

  /// The node that follows `node` by that byte, or `root` if there is none.
  [[nodiscard]] Node child(Node node, char byte) const {
    if (node == root) return root_children_[static_cast<unsigned char>(byte)];
    const auto end = bytes_.begin() + first_children_[node + 1];
    const auto found = std::lower_bound(bytes_.begin() + first_children_[node], end, byte, is_less);
    return found == end || *found != byte ? root : static_cast<Node>(found - bytes_.begin());
  }

  /// The children of `node`: from the first number up to, but not including, the second.
  [[nodiscard]] std::pair<Node, Node> children(Node node) const {
    return {first_children_[node], first_children_[node + 1]};
  }

  /// The byte that leads to a node other than the root.
  [[nodiscard]] char byte(Node node) const { return bytes_[node]; }

  /// The index of the text that ends at `node`, or `none`.
  [[nodiscard]] std::int32_t text(Node node) const { return texts_[node]; }

 private:
  static bool is_less(char a, char b) { return static_cast<unsigned char>(a) < static_cast<unsigned char>(b); }

  std::vector<Node> first_children_;  ///< first child of each node; then the end of the last node's children
  std::vector<char> bytes_;           ///< the byte that leads to each node
  std::vector<std::int32_t> texts_;   ///< the text that ends at each node
  std::array<Node, 256> root_children_{};
};

}  // namespace zeroth::ZEROTH_ISA::model
