// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <zeroth/config.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The merges of a byte-pair encoding, looked up by pair in constant time: 12 bytes per merge plus a hash table of 4
/// bytes per slot, with at least 2 slots per merge.
class MergeTable {
 public:
  /// Tokens `left` and `right`, in this order, become `result`.
  struct Merge {
    std::int32_t left;
    std::int32_t right;
    std::int32_t result;
  };

  /// Rank of a pair that does not merge: after all ranks.
  static constexpr std::uint32_t no_rank = std::numeric_limits<std::uint32_t>::max();

  MergeTable() : MergeTable(std::vector<Merge>{}) {}

  /// `merges` in order of rank; the first is applied first. Of a repeated pair the later rank wins, as in Hugging Face
  /// `tokenizers`.
  explicit MergeTable(std::vector<Merge> merges)
      : merges_(std::move(merges)), slots_(std::bit_ceil(2 * merges_.size() + 1), no_rank) {
    for (std::size_t i = 0; i < merges_.size(); ++i) {
      slots_[slot_of(merges_[i].left, merges_[i].right)] = static_cast<std::uint32_t>(i);
    }
  }

  /// Rank of the merge of `left` and `right`, or no_rank.
  std::uint32_t rank(std::int32_t left, std::int32_t right) const { return slots_[slot_of(left, right)]; }

  const Merge& operator[](std::uint32_t rank) const { return merges_[rank]; }
  std::span<const Merge> merges() const { return merges_; }

 private:
  /// The slot that holds the pair, or the empty slot where it belongs.
  std::size_t slot_of(std::int32_t left, std::int32_t right) const {
    const std::uint64_t key =
        (std::uint64_t{static_cast<std::uint32_t>(left)} << 32) | static_cast<std::uint32_t>(right);
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = static_cast<std::size_t>((key * 0x9E3779B97F4A7C15u) >> 32) & mask;
    while (slots_[slot] != no_rank) {
      const Merge& merge = merges_[slots_[slot]];
      if (merge.left == left && merge.right == right) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  std::vector<Merge> merges_;
  std::vector<std::uint32_t> slots_;
};

/// Applies a MergeTable to words, one after another; keeps its scratch memory between words.
class WordMerger {
 public:
  /// Merges the symbols of `word` until no pair merges, each time the pair with the lowest rank, the leftmost on a tie,
  /// and appends the remaining symbols to `ids`. O(n log n) in the length of the word.
  void append_merged(const MergeTable& table, std::span<const std::int32_t> word, std::vector<std::int32_t>& ids) {
    symbols_.clear();
    queue_.clear();
    for (std::size_t i = 0; i < word.size(); ++i) {
      const auto index = static_cast<std::uint32_t>(i);
      symbols_.push_back({word[i], index == 0 ? none : index - 1, i + 1 == word.size() ? none : index + 1});
    }
    for (std::uint32_t i = 0; i + 1 < symbols_.size(); ++i) propose(table, i);

    while (!queue_.empty()) {
      std::pop_heap(queue_.begin(), queue_.end(), Later{});
      const Candidate candidate = queue_.back();
      queue_.pop_back();
      apply(table, candidate);
    }
    for (const Symbol& symbol : symbols_) {
      if (symbol.id != merged_away) ids.push_back(symbol.id);
    }
  }

 private:
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::int32_t merged_away = -1;

  struct Symbol {
    std::int32_t id;
    std::uint32_t previous;
    std::uint32_t next;
  };

  struct Candidate {
    std::uint32_t rank;
    std::uint32_t left;  ///< index of the left symbol
  };

  struct Later {
    bool operator()(const Candidate& a, const Candidate& b) const {
      return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
    }
  };

  void propose(const MergeTable& table, std::uint32_t left) {
    const std::uint32_t rank = table.rank(symbols_[left].id, symbols_[symbols_[left].next].id);
    if (rank == MergeTable::no_rank) return;
    queue_.push_back({rank, left});
    std::push_heap(queue_.begin(), queue_.end(), Later{});
  }

  void apply(const MergeTable& table, const Candidate& candidate) {
    Symbol& left = symbols_[candidate.left];
    const MergeTable::Merge& merge = table[candidate.rank];
    // Candidates are not withdrawn when an earlier merge consumes one of their symbols; they are recognised here.
    if (left.id != merge.left || left.next == none || symbols_[left.next].id != merge.right) return;
    Symbol& right = symbols_[left.next];
    left.id = merge.result;
    left.next = right.next;
    right.id = merged_away;
    if (left.next != none) {
      symbols_[left.next].previous = candidate.left;
      propose(table, candidate.left);
    }
    if (left.previous != none) propose(table, left.previous);
  }

  std::vector<Symbol> symbols_;
  std::vector<Candidate> queue_;
};

}  // namespace zeroth::ZEROTH_ISA::model
