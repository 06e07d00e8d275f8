// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include <zeroth_model/decoder/decoder_ops.hpp>
#include <zeroth_model/ops/eigen/lane_matrix.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Attention for the queries of one segment and the heads that share a key-value head.
///
/// Queries are processed in groups of up to 64, so scores take 64 x keys floats however long the sequence is.
class EigenAttention {
 public:
  EigenAttention(HeadShape const& shape, Segment const& segment, Queries const& queries, QuerySpan const& span) noexcept
      : shape_(shape), segment_(segment), rows_(queries.rows.subspan(span.first, span.count)), first_(span.first) {}

  /// Reads q, k and v of a lane and writes rows of `out`.
  void run(std::size_t lane, std::size_t kv_head, LaneMatrix const& q, LaneMatrix const& k, LaneMatrix const& v,
           AlignedFloats& scratch, LaneMatrix& out) const {
    auto const dim = static_cast<Eigen::Index>(shape_.head_dim);
    auto const prefix = static_cast<Eigen::Index>(segment_.prefix_length);
    Eigen::Index const kv_column = static_cast<Eigen::Index>(kv_head) * dim;
    auto prefix_rows = [&](LaneMatrix const& m) {
      return m.block(lane, segment_.prefix_begin, segment_.prefix_length).middleCols(kv_column, dim);
    };
    auto own_rows = [&](LaneMatrix const& m, std::size_t keys) {
      return m.block(lane, segment_.begin, keys).middleCols(kv_column, dim);
    };

    for (std::size_t first = 0; first < rows_.size(); first += group) {
      std::size_t const count = std::min(group, rows_.size() - first);
      std::size_t const own = rows_[first + count - 1] - segment_.begin + 1;
      std::size_t const keys = segment_.prefix_length + own;
      MatrixMap scores(scratch.reserve(count * keys), static_cast<Eigen::Index>(count),
                       static_cast<Eigen::Index>(keys));
      std::size_t const sharing = shape_.heads / shape_.kv_heads;
      for (std::size_t head = kv_head * sharing; head < (kv_head + 1) * sharing; ++head) {
        Eigen::Index const column = static_cast<Eigen::Index>(head) * dim;
        auto const queries = q.block(lane, first_ + first, count).middleCols(column, dim);
        if (prefix > 0) scores.leftCols(prefix).noalias() = queries * prefix_rows(k).transpose();
        scores.rightCols(static_cast<Eigen::Index>(own)).noalias() = queries * own_rows(k, own).transpose();
        for (std::size_t i = 0; i < count; ++i)
          softmax(scores.row(static_cast<Eigen::Index>(i)), visible(rows_[first + i]));
        auto result = out.block(lane, first_ + first, count).middleCols(column, dim);
        result.noalias() = scores.rightCols(static_cast<Eigen::Index>(own)) * own_rows(v, own);
        if (prefix > 0) result.noalias() += scores.leftCols(prefix) * prefix_rows(v);
      }
    }
  }

 private:
  static constexpr std::size_t group = 64;

  /// Keys up to the one of that batch row itself.
  [[nodiscard]] std::size_t visible(std::size_t row) const noexcept {
    return segment_.prefix_length + (row - segment_.begin) + 1;
  }

  /// Softmax of the scores before `visible` that the query sees, scaled and capped; the other scores become 0.
  template <class Row>
  void softmax(Row&& scores, std::size_t visible) const {
    auto const first = static_cast<Eigen::Index>(shape_.first_seen(visible));
    auto const end = static_cast<Eigen::Index>(visible);
    auto seen = scores.segment(first, end - first).array();
    float scale = shape_.scale;
    if (shape_.soft_cap != 0) {
      seen = (seen * (scale / shape_.soft_cap)).tanh();
      scale = shape_.soft_cap;
    }
    float const top = seen.maxCoeff();
    seen = ((seen - top) * scale).exp();
    seen *= 1.0F / seen.sum();
    scores.head(first).setZero();
    scores.tail(scores.size() - end).setZero();
  }

  HeadShape shape_;
  Segment segment_;
  std::span<std::size_t const> rows_;
  std::size_t first_;
};

}  // namespace zeroth::ZEROTH_ISA::model
