// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <zeroth/error.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// A run of rows that is one sequence, or the continuation of another sequence.
///
/// Each row attends to the prefix (if any) and to itself and the rows before it in the segment.
struct Segment {
  std::size_t begin = 0;
  std::size_t length = 0;
  std::size_t prefix_begin = 0;
  std::size_t prefix_length = 0;

  bool operator==(Segment const&) const = default;
};

/// A request for the score of `token` as the successor of row `row`.
struct ScoreRequest {
  std::size_t row = 0;
  std::int32_t token = 0;

  bool operator==(ScoreRequest const&) const = default;
};

/// Sequences packed end to end, without padding, and the scores requested for them. A row is a token at its position.
///
/// Segments that share a prompt store it once: add the prompt, then each continuation with the prompt as its prefix.
/// The bits of a row's results depend neither on the rest of the batch nor on whether its prompt is shared.
class PackedBatch {
 public:
  static constexpr std::size_t no_prefix = static_cast<std::size_t>(-1);

  /// Adds a segment and returns its index.
  /// @throws InvalidArgument if it is empty, or if `prefix` is not a segment without a prefix of its own.
  std::size_t add_segment(std::span<std::int32_t const> tokens, std::size_t prefix = no_prefix) {
    if (tokens.empty()) throw InvalidArgument("segment " + std::to_string(segments_.size()) + " has no tokens");
    Segment segment{tokens_.size(), tokens.size(), 0, 0};
    if (prefix != no_prefix) {
      if (prefix >= segments_.size() || segments_[prefix].prefix_length != 0)
        throw InvalidArgument("segment " + std::to_string(segments_.size()) + ": its prefix, segment " +
                              std::to_string(prefix) + ", must be an earlier one that has no prefix itself");
      segment.prefix_begin = segments_[prefix].begin;
      segment.prefix_length = segments_[prefix].length;
    }
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      tokens_.push_back(tokens[i]);
      positions_.push_back(segment.prefix_length + i);
    }
    segments_.push_back(segment);
    return segments_.size() - 1;
  }

  /// Requests a score. Returns its index in the decoder's output.
  /// @throws InvalidArgument if there is no such row.
  std::size_t request(std::size_t row, std::int32_t token) {
    if (row >= rows())
      throw InvalidArgument("score request " + std::to_string(requests_.size()) + ": row " + std::to_string(row) +
                            " is not below the number of rows, " + std::to_string(rows()));
    requests_.push_back({row, token});
    return requests_.size() - 1;
  }

  /// Removes everything and keeps the memory.
  void clear() noexcept {
    tokens_.clear();
    positions_.clear();
    segments_.clear();
    requests_.clear();
  }

  [[nodiscard]] std::size_t rows() const noexcept { return tokens_.size(); }
  [[nodiscard]] std::span<std::int32_t const> tokens() const noexcept { return tokens_; }

  /// The position of each row in its sequence, prefix included, from 0.
  [[nodiscard]] std::span<std::size_t const> positions() const noexcept { return positions_; }
  [[nodiscard]] std::span<Segment const> segments() const noexcept { return segments_; }
  [[nodiscard]] std::span<ScoreRequest const> requests() const noexcept { return requests_; }

 private:
  std::vector<std::int32_t> tokens_;
  std::vector<std::size_t> positions_;
  std::vector<Segment> segments_;
  std::vector<ScoreRequest> requests_;
};

}  // namespace zeroth::ZEROTH_ISA::model
