// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include <zeroth_model/decoder/decoder_ops.hpp>
#include <zeroth_model/decoder/packed_batch.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Which rows a forward pass processes: all rows up to the last layer's queries, from there on the scored ones.
///
/// Keeps its memory between uses, and refers to the batch that it was set from.
struct BatchPlan {
  std::span<std::int32_t const> tokens;
  std::vector<std::size_t> positions;  ///< of each token in its sequence
  std::vector<Segment> segments;       ///< as rows of keys and values

  std::vector<std::size_t> rows;  ///< row of keys and values of each token
  std::vector<QuerySpan> spans;   ///< of `rows`

  std::vector<std::size_t> scored;            ///< the tokens that are scored, ascending
  std::vector<std::size_t> scored_positions;  ///< their positions
  std::vector<std::size_t> scored_rows;       ///< their rows of keys and values
  std::vector<QuerySpan> scored_spans;        ///< of `scored_rows`

  std::vector<ScoreRequest> requests;  ///< their rows are indices into `scored`

  /// Plans a packed batch: one row of keys and values per token.
  void set(PackedBatch const& batch);

  /// Plans tokens that continue one sequence of `before` tokens with stored keys and values: all logits of the last
  /// token.
  void set_continuation(std::span<std::int32_t const> next, std::size_t before, std::size_t vocabulary);
};

inline void BatchPlan::set(PackedBatch const& batch) {
  tokens = batch.tokens();
  positions.assign(batch.positions().begin(), batch.positions().end());
  segments.assign(batch.segments().begin(), batch.segments().end());
  rows.resize(batch.rows());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  spans.clear();
  for (std::size_t s = 0; s < segments.size(); ++s) spans.push_back({s, segments[s].begin, segments[s].length});

  scored.clear();
  for (ScoreRequest const& request : batch.requests()) scored.push_back(request.row);
  std::sort(scored.begin(), scored.end());
  scored.erase(std::unique(scored.begin(), scored.end()), scored.end());
  scored_rows = scored;
  scored_positions.clear();
  for (std::size_t row : scored) scored_positions.push_back(positions[row]);
  scored_spans.clear();
  std::size_t next = 0;
  for (std::size_t s = 0; s < segments.size(); ++s) {
    std::size_t const first = next;
    while (next < scored.size() && scored[next] < segments[s].begin + segments[s].length) ++next;
    if (next > first) scored_spans.push_back({s, first, next - first});
  }
  requests.clear();
  for (ScoreRequest const& request : batch.requests()) {
    auto const at = std::lower_bound(scored.begin(), scored.end(), request.row);
    requests.push_back({static_cast<std::size_t>(at - scored.begin()), request.token});
  }
}

inline void BatchPlan::set_continuation(std::span<std::int32_t const> next, std::size_t before,
                                        std::size_t vocabulary) {
  std::size_t const last = before + next.size() - 1;
  tokens = next;
  rows.resize(next.size());
  std::iota(rows.begin(), rows.end(), before);
  positions = rows;
  segments.assign(1, Segment{0, last + 1, 0, 0});
  spans.assign(1, {0, 0, next.size()});
  scored.assign(1, next.size() - 1);
  scored_rows.assign(1, last);
  scored_positions.assign(1, last);
  scored_spans.assign(1, {0, 0, 1});
  requests.clear();
  for (std::size_t token = 0; token < vocabulary; ++token) requests.push_back({0, static_cast<std::int32_t>(token)});
}

}  // namespace zeroth::ZEROTH_ISA::model
