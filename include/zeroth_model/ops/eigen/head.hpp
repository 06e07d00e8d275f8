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
#include <zeroth_model/ops/eigen/lane_matrix.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// The head: scores of tokens at rows, without ever holding rows x vocabulary logits.
class EigenHead {
 public:
  /// Logits of the requested tokens; only their rows of the head are expanded. out[lane * requests + i].
  template <class Gemm>
  void logits(AnyExecutor executor, Gemm& gemm, ScratchPool& pool, WeightView const& weights, std::size_t parameter,
              LaneMatrix const& in, std::span<ScoreRequest const> requests, std::span<double> out) {
    gemm.begin(executor, in);
    sort_by_token(requests);
    starts_.clear();
    for (std::size_t i = 0; i < order_.size(); ++i)
      if (i == 0 || requests[order_[i]].token != requests[order_[i - 1]].token) starts_.push_back(i);
    starts_.push_back(order_.size());
    executor.parallel_for(starts_.size() - 1, [&](std::size_t run) {
      ScratchPool::Lease scratch(pool);
      auto const token = static_cast<std::size_t>(requests[order_[starts_[run]]].token);
      auto const panel = gemm.panel(weights, parameter, token, 1, *scratch);
      for (std::size_t lane = 0; lane < in.lanes(); ++lane)
        for (std::size_t i = starts_[run]; i < starts_[run + 1]; ++i)
          out[lane * requests.size() + order_[i]] =
              static_cast<double>(gemm.dot(in, lane, requests[order_[i]].row, panel));
    });
  }

  /// Logits, capped if `soft_cap` is not 0, minus the logarithm of the sum of all tokens' exponentials. out[lane *
  /// requests + i].
  template <class Gemm>
  void log_probabilities(AnyExecutor executor, Gemm& gemm, ScratchPool& pool, WeightView const& weights,
                         std::size_t parameter, LaneMatrix const& in, float soft_cap,
                         std::span<ScoreRequest const> requests, std::span<double> out) {
    gemm.begin(executor, in);
    sort_by_token(requests);
    auto const vocabulary = static_cast<std::size_t>(weights[parameter].shape.rows);
    std::size_t const height = gemm.panel_rows(vocabulary, in.features());
    std::size_t const panels = (vocabulary + height - 1) / height;
    std::size_t const stripes = std::min(panels, most_stripes);
    std::size_t const slots = in.lanes() * in.rows();
    tops_.assign(stripes * slots, -std::numeric_limits<float>::infinity());
    sums_.assign(stripes * slots, 0.0);
    executor.parallel_for(stripes, [&](std::size_t stripe) {
      ScratchPool::Lease scratch(pool);
      for (std::size_t p = stripe * panels / stripes; p < (stripe + 1) * panels / stripes; ++p) {
        std::size_t const first = p * height;
        std::size_t const rows = std::min(height, vocabulary - first);
        auto const panel = gemm.panel(weights, parameter, first, rows, *scratch);
        for (std::size_t lane = 0; lane < in.lanes(); ++lane) {
          for (std::size_t row = 0; row < in.rows(); row += rows_at_once) {
            std::size_t const count = std::min(rows_at_once, in.rows() - row);
            MatrixMap logits(scratch->values.reserve(rows_at_once * height), static_cast<Eigen::Index>(count),
                             static_cast<Eigen::Index>(rows));
            gemm.multiply(in, lane, row, count, panel, *scratch, logits);
            if (soft_cap != 0) logits.array() = (logits.array() / soft_cap).tanh() * soft_cap;
            accumulate(logits, stripe * slots + lane * in.rows() + row);
            pick(requests, first, row, logits, out.subspan(lane * requests.size(), requests.size()));
          }
        }
      }
    });
    for (std::size_t lane = 0; lane < in.lanes(); ++lane)
      for (std::size_t i = 0; i < requests.size(); ++i)
        out[lane * requests.size() + i] -= log_sum(stripes, slots, lane * in.rows() + requests[i].row);
  }

 private:
  /// Tasks into which the vocabulary is divided: constant, so sums are added in the same order with any number of
  /// threads.
  static constexpr std::size_t most_stripes = 64;
  static constexpr std::size_t rows_at_once = 128;

  void sort_by_token(std::span<ScoreRequest const> requests) {
    order_.resize(requests.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
      return requests[a].token != requests[b].token ? requests[a].token < requests[b].token : a < b;
    });
  }

  /// Adds logits [rows x tokens] to the running maximum and sum of exponentials of the rows from slot `first` on.
  void accumulate(MatrixMap const& logits, std::size_t first) {
    for (Eigen::Index r = 0; r < logits.rows(); ++r) {
      float& top = tops_[first + static_cast<std::size_t>(r)];
      double& sum = sums_[first + static_cast<std::size_t>(r)];
      float const new_top = std::max(top, logits.row(r).maxCoeff());
      auto const part = static_cast<double>((logits.row(r).array() - new_top).exp().sum());
      sum = sum * std::exp(static_cast<double>(top) - static_cast<double>(new_top)) + part;
      top = new_top;
    }
  }

  /// Writes the logits of the requests whose token and row lie in this block.
  void pick(std::span<ScoreRequest const> requests, std::size_t first_token, std::size_t first_row,
            MatrixMap const& logits, std::span<double> out) const {
    auto token = [&](std::size_t i) { return static_cast<std::size_t>(requests[i].token); };
    auto next = std::lower_bound(order_.begin(), order_.end(), first_token,
                                 [&](std::size_t i, std::size_t value) { return token(i) < value; });
    for (; next != order_.end() && token(*next) < first_token + static_cast<std::size_t>(logits.cols()); ++next) {
      std::size_t const row = requests[*next].row;
      if (row >= first_row && row < first_row + static_cast<std::size_t>(logits.rows()))
        out[*next] = static_cast<double>(
            logits(static_cast<Eigen::Index>(row - first_row), static_cast<Eigen::Index>(token(*next) - first_token)));
    }
  }

  [[nodiscard]] double log_sum(std::size_t stripes, std::size_t slots, std::size_t slot) const noexcept {
    auto top_of = [&](std::size_t s) { return static_cast<double>(tops_[s * slots + slot]); };
    double top = -std::numeric_limits<double>::infinity();
    for (std::size_t s = 0; s < stripes; ++s) top = std::max(top, top_of(s));
    double sum = 0;
    for (std::size_t s = 0; s < stripes; ++s) sum += sums_[s * slots + slot] * std::exp(top_of(s) - top);
    return top + std::log(sum);
  }

  std::vector<std::size_t> order_;
  std::vector<std::size_t> starts_;
  std::vector<float> tops_;
  std::vector<double> sums_;
};

}  // namespace zeroth::ZEROTH_ISA::model
