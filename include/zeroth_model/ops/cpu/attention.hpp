// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>

#include <zeroth_model/decoder/decoder_ops.hpp>
#include <zeroth_model/ops/cpu/activations.hpp>
#include <zeroth_model/ops/cpu/kernels.hpp>

namespace zeroth::ZEROTH_ISA::model::cpu {

/// Attention of some queries of one segment, for one key-value head and all query heads that share it.
///
/// Keys are laid out as rows and values as columns once; queries are then processed in groups of up to 32, so scores
/// take keys x 32 floats however long the sequence is.
class AttentionTask {
 public:
  AttentionTask(Kernels const& kernels, HeadShape const& shape, Segment const& segment,
                std::span<std::size_t const> rows, std::size_t first_query) noexcept
      : kernels_(kernels), shape_(shape), segment_(segment), rows_(rows), first_query_(first_query) {}

  /// Reads q, k, v and writes out's rows [first_query, first_query + rows.size()) of the heads that share `kv_head`.
  void run(std::size_t lane, std::size_t kv_head, Activations const& q, Activations const& k, Activations const& v,
           ScratchPool::Piece& scratch, Activations& out) const {
    std::size_t const dim = shape_.head_dim;
    std::size_t const keys = visible(rows_.back());
    // A row of values whose length is a multiple of 4 KiB would put all rows in the same set of the first-level cache.
    std::size_t const padded = (keys + block_tokens - 1) / block_tokens * block_tokens;
    std::size_t const value_stride = padded + (padded % 1024 == 0 ? block_tokens : 0);
    std::size_t const group_size = dim * block_tokens;
    float* const key_rows = scratch.values.reserve(padded * dim + dim * value_stride +
                                                   group_blocks * (2 * group_size + padded * block_tokens));
    float* const value_columns = key_rows + padded * dim;
    float* const queries = value_columns + dim * value_stride;
    float* const scores = queries + group_blocks * group_size;
    float* const sums = scores + group_blocks * padded * block_tokens;

    for (std::size_t j = 0; j < keys; ++j) {
      std::size_t const row =
          j < segment_.prefix_length ? segment_.prefix_begin + j : segment_.begin + (j - segment_.prefix_length);
      std::size_t const at = kv_head * group_size + row % block_tokens;
      float const* const key = k.block(lane, row / block_tokens) + at;
      float const* const value = v.block(lane, row / block_tokens) + at;
      for (std::size_t d = 0; d < dim; ++d) {
        key_rows[j * dim + d] = key[d * block_tokens];
        value_columns[d * value_stride + j] = value[d * block_tokens];
      }
    }

    std::size_t const sharing = shape_.heads / shape_.kv_heads;
    for (std::size_t head = kv_head * sharing; head < (kv_head + 1) * sharing; ++head) {
      for (std::size_t first = 0; first < rows_.size(); first += group_blocks * block_tokens) {
        std::size_t const count = std::min(group_blocks * block_tokens, rows_.size() - first);
        std::size_t const blocks = (count + block_tokens - 1) / block_tokens;
        std::size_t const seen = visible(rows_[first + count - 1]);

        std::fill_n(queries, blocks * group_size, 0.0F);
        for (std::size_t i = 0; i < count; ++i) {
          std::size_t const row = first_query_ + first + i;
          float const* const from = q.block(lane, row / block_tokens) + head * group_size + row % block_tokens;
          float* const to = queries + i / block_tokens * group_size + i % block_tokens;
          for (std::size_t d = 0; d < dim; ++d) to[d * block_tokens] = from[d * block_tokens] * shape_.scale;
        }
        std::size_t const score_size = seen * block_tokens;
        kernels_.product({seen, dim, key_rows, dim, blocks, queries, group_size, scores, score_size});
        if (shape_.soft_cap != 0) kernels_.soft_cap(blocks * score_size, scores, shape_.soft_cap);
        float shares[group_blocks * block_tokens];
        for (std::size_t b = 0; b < blocks; ++b)
          softmax(first + b * block_tokens, seen, scores + b * score_size, shares + b * block_tokens);
        kernels_.product({dim, seen, value_columns, value_stride, blocks, scores, score_size, sums, group_size});
        for (std::size_t i = 0; i < count; ++i) {
          std::size_t const row = first_query_ + first + i;
          float const* const from = sums + i / block_tokens * group_size + i % block_tokens;
          float* const to = out.block(lane, row / block_tokens) + head * group_size + row % block_tokens;
          for (std::size_t d = 0; d < dim; ++d) to[d * block_tokens] = from[d * block_tokens] * shares[i];
        }
      }
    }
  }

 private:
  static constexpr std::size_t group_blocks = 2;

  /// Keys up to the one of packed row `row` itself.
  [[nodiscard]] std::size_t visible(std::size_t row) const noexcept {
    return segment_.prefix_length + (row - segment_.begin) + 1;
  }

  /// Turns the scores (keys x 16 queries) of a block into exponentials, and returns the reciprocals of their sums.
  void softmax(std::size_t first, std::size_t keys, float* scores, float* shares) const noexcept {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    alignas(64) float top[block_tokens];
    alignas(64) float sum[block_tokens] = {};
    std::fill_n(top, block_tokens, -infinity);
    for (std::size_t t = 0; t < block_tokens && first + t < rows_.size(); ++t) {
      std::size_t const end = visible(rows_[first + t]);
      for (std::size_t j = 0; j < shape_.first_seen(end); ++j) scores[j * block_tokens + t] = -infinity;
      for (std::size_t j = end; j < keys; ++j) scores[j * block_tokens + t] = -infinity;
    }
    for (std::size_t j = 0; j < keys; ++j)
      for (std::size_t t = 0; t < block_tokens; ++t) top[t] = std::max(top[t], scores[j * block_tokens + t]);
    kernels_.exponentials(keys, scores, top, sum);
    for (std::size_t t = 0; t < block_tokens; ++t) shares[t] = 1.0F / sum[t];
  }

  Kernels kernels_;
  HeadShape shape_;
  Segment segment_;
  std::span<std::size_t const> rows_;
  std::size_t first_query_;
};

}  // namespace zeroth::ZEROTH_ISA::model::cpu
