// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/error.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Token texts by id, and ids by text. Memory: the texts, 4 bytes per token, and a hash table of 4 bytes per slot, with
/// at least 2 slots per token.
class Vocabulary {
 public:
  static constexpr std::int32_t absent = -1;

  /// Copies `tokens`, in order of id. Of two tokens with the same text, find() returns the later, as Hugging Face
  /// `tokenizers` does. Throws InvalidArgument if none has any text, or there are too many for 32-bit ids and offsets.
  explicit Vocabulary(std::span<const std::string_view> tokens) {
    std::size_t bytes = 0;
    for (const std::string_view token : tokens) bytes += token.size();
    if (bytes == 0 || std::max(bytes, tokens.size()) > std::size_t{std::numeric_limits<std::int32_t>::max()}) {
      throw InvalidArgument(
          "tokenizer tokens: expected at least one with a text and less than 2^31 bytes in all, found " +
          std::to_string(tokens.size()) + " tokens of " + std::to_string(bytes) + " bytes");
    }
    texts_.reserve(bytes);
    ends_.reserve(tokens.size() + 1);
    ends_.push_back(0);
    slots_.resize(std::bit_ceil(2 * tokens.size() + 1), absent);
    for (const std::string_view token : tokens) {
      const auto id = static_cast<std::int32_t>(size());
      texts_ += token;
      ends_.push_back(static_cast<std::uint32_t>(texts_.size()));
      slots_[slot_of(token)] = id;
    }
  }

  std::size_t size() const { return ends_.size() - 1; }

  /// Text of the token `id`, `0 <= id < size()`; a view of this object's memory.
  std::string_view operator[](std::int32_t id) const {
    const auto i = static_cast<std::size_t>(id);
    return {texts_.data() + ends_[i], ends_[i + 1] - ends_[i]};
  }

  /// The id of `text`, or absent.
  std::int32_t find(std::string_view text) const { return slots_[slot_of(text)]; }

 private:
  /// The slot that holds the token, or the empty slot where it belongs.
  std::size_t slot_of(std::string_view text) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = std::hash<std::string_view>{}(text)&mask;
    while (slots_[slot] != absent && (*this)[slots_[slot]] != text) slot = (slot + 1) & mask;
    return slot;
  }

  std::string texts_;  ///< of all tokens, end to end
  std::vector<std::uint32_t> ends_;
  std::vector<std::int32_t> slots_;
};

}  // namespace zeroth::ZEROTH_ISA::model
