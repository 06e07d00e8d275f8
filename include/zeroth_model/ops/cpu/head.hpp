// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include <zeroth/executor.hpp>
#include <zeroth_model/decoder/decoder_ops.hpp>
#include <zeroth_model/ops/cpu/activations.hpp>
#include <zeroth_model/ops/cpu/kernels.hpp>
#include <zeroth_model/ops/cpu/products.hpp>

namespace zeroth::ZEROTH_ISA::model::cpu {

/// The head: scores of tokens at rows, without ever holding rows x vocabulary logits.
class Head {
 public:
  /// Logits of the requested tokens; only their rows of the head are expanded. out[lane * requests + i].
  void logits(AnyExecutor executor, Products& products, ScratchPool& pool, WeightView const& weights,
              std::size_t parameter, Activations const& in, std::span<ScoreRequest const> requests,
              std::span<double> out) {
    products.begin(executor, in);
    sort_by_token(requests);
    starts_.clear();
    for (std::size_t i = 0; i < order_.size(); ++i)
      if (i == 0 || requests[order_[i]].token != requests[order_[i - 1]].token) starts_.push_back(i);
    executor.parallel_for(starts_.size(), [&](std::size_t group) {
      ScratchPool::Lease scratch(pool);
      std::size_t const first = starts_[group];
      std::size_t const last = group + 1 < starts_.size() ? starts_[group + 1] : order_.size();
      auto const token = static_cast<std::size_t>(requests[order_[first]].token);
      Panel const panel = products.panel(weights, parameter, token, 1, *scratch, in.blocks() * block_tokens);
      float* const result = scratch->values.data();
      for (std::size_t lane = 0; lane < in.lanes(); ++lane) {
        products.multiply(panel, 1, lane, 0, in.blocks(), result, block_tokens);
        for (std::size_t i = first; i < last; ++i)
          out[lane * requests.size() + order_[i]] = static_cast<double>(result[requests[order_[i]].row]);
      }
    });
  }

  /// Logits minus the logarithm of the sum of all tokens' exponentials. out[lane * requests + i].
  void log_probabilities(AnyExecutor executor, Kernels const& kernels, Products& products, ScratchPool& pool,
                         WeightView const& weights, std::size_t parameter, Activations const& in, float soft_cap,
                         std::span<ScoreRequest const> requests, std::span<double> out) {
    products.begin(executor, in);
    sort_by_token(requests);
    auto const vocabulary = static_cast<std::size_t>(weights[parameter].shape.rows);
    std::size_t const height = products.panel_rows(in.features());
    std::size_t const panels = (vocabulary + height - 1) / height;
    std::size_t const stripes = std::min(panels, stripes_most);
    std::size_t const slots = in.lanes() * in.blocks() * block_tokens;
    tops_.assign(stripes * slots, -std::numeric_limits<float>::infinity());
    sums_.assign(stripes * slots, 0.0F);
    executor.parallel_for(stripes, [&](std::size_t stripe) {
      ScratchPool::Lease scratch(pool);
      for (std::size_t p = stripe * panels / stripes; p < (stripe + 1) * panels / stripes; ++p) {
        std::size_t const first = p * height;
        std::size_t const rows = std::min(height, vocabulary - first);
        Panel const panel =
            products.panel(weights, parameter, first, rows, *scratch, group_blocks * rows * block_tokens);
        float* const result = scratch->values.data();
        for (std::size_t lane = 0; lane < in.lanes(); ++lane) {
          for (std::size_t block = 0; block < in.blocks(); block += group_blocks) {
            std::size_t const blocks = std::min(group_blocks, in.blocks() - block);
            products.multiply(panel, rows, lane, block, blocks, result, rows * block_tokens);
            if (soft_cap != 0) kernels.soft_cap(blocks * rows * block_tokens, result, soft_cap);
            pick(requests, first, rows, block, blocks, result, out.subspan(lane * requests.size(), requests.size()));
            for (std::size_t b = 0; b < blocks; ++b) {
              std::size_t const slot = stripe * slots + (lane * in.blocks() + block + b) * block_tokens;
              accumulate(kernels, rows, result + b * rows * block_tokens, tops_.data() + slot, sums_.data() + slot);
            }
          }
        }
      }
    });
    for (std::size_t lane = 0; lane < in.lanes(); ++lane)
      for (std::size_t i = 0; i < requests.size(); ++i)
        out[lane * requests.size() + i] -= log_sum(stripes, slots, lane * in.blocks() * block_tokens + requests[i].row);
  }

 private:
  /// Tasks into which the vocabulary is divided: constant, so sums are added in the same order with any number of
  /// threads.
  static constexpr std::size_t stripes_most = 64;
  static constexpr std::size_t group_blocks = 8;

  void sort_by_token(std::span<ScoreRequest const> requests) {
    order_.resize(requests.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
      return requests[a].token != requests[b].token ? requests[a].token < requests[b].token : a < b;
    });
  }

  /// Adds the logits (rows x 16) of a panel, which it overwrites, to the running maximum and sum of exponentials of a
  /// block.
  static void accumulate(Kernels const& kernels, std::size_t rows, float* logits, float* top, float* sum) noexcept {
    alignas(64) float now[block_tokens];
    alignas(64) float part[block_tokens] = {};
    alignas(64) float moved[block_tokens];
    std::copy_n(top, block_tokens, now);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t t = 0; t < block_tokens; ++t) now[t] = std::max(now[t], logits[r * block_tokens + t]);
    kernels.exponentials(rows, logits, now, part);
    std::copy_n(top, block_tokens, moved);
    alignas(64) float unused[block_tokens] = {};
    kernels.exponentials(1, moved, now, unused);
    for (std::size_t t = 0; t < block_tokens; ++t) {
      sum[t] = sum[t] * moved[t] + part[t];
      top[t] = now[t];
    }
  }

  /// Writes the logits of the requests whose token and row lie in this panel and these blocks.
  void pick(std::span<ScoreRequest const> requests, std::size_t first, std::size_t rows, std::size_t block,
            std::size_t blocks, float const* logits, std::span<double> out) const {
    auto token = [&](std::size_t i) { return static_cast<std::size_t>(requests[i].token); };
    auto next = std::lower_bound(order_.begin(), order_.end(), first,
                                 [&](std::size_t i, std::size_t value) { return token(i) < value; });
    for (; next != order_.end() && token(*next) < first + rows; ++next) {
      std::size_t const b = requests[*next].row / block_tokens;
      if (b < block || b >= block + blocks) continue;
      out[*next] = static_cast<double>(
          logits[((b - block) * rows + token(*next) - first) * block_tokens + requests[*next].row % block_tokens]);
    }
  }

  [[nodiscard]] double log_sum(std::size_t stripes, std::size_t slots, std::size_t slot) const noexcept {
    double top = -std::numeric_limits<double>::infinity();
    for (std::size_t s = 0; s < stripes; ++s) top = std::max(top, static_cast<double>(tops_[s * slots + slot]));
    double sum = 0;
    for (std::size_t s = 0; s < stripes; ++s)
      sum +=
          static_cast<double>(sums_[s * slots + slot]) * std::exp(static_cast<double>(tops_[s * slots + slot]) - top);
    return top + std::log(sum);
  }

  std::vector<std::size_t> order_;
  std::vector<std::size_t> starts_;
  std::vector<float> tops_;
  std::vector<float> sums_;
};

}  // namespace zeroth::ZEROTH_ISA::model::cpu
