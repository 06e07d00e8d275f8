// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <zeroth/estimator/estimator.hpp>
#include <zeroth/numeric/rounded.hpp>

namespace zeroth::ZEROTH_ISA {

/// FZOO: one-sided differences of a batch of n directions, divided by the standard deviation of the batch's losses
/// (Dang et al., "FZOO: Fast Zeroth-Order Optimizer for Fine-Tuning Large Language Models towards Adam-Scale Speed",
/// arXiv 2506.09034; there with Rademacher directions, n = 8):
///
///     l_0 = L(theta)    l_s = L(theta + eps z_s)    sigma^2 = sum_s (l_s - mean l)^2 / (n - 1)
///     theta <- theta - eta / (eps n sigma) sum_s (l_s - l_0) z_s
///
/// sigma is about eps |grad L|, so this is a normalised descent: the length of a step hardly depends on the size of the
/// gradient; set the learning rate to about eps times the desired length. n + 1 evaluations. Losses that are all equal
/// carry no information: all projected gradients are then 0.
struct Fzoo : OneSided {
  static constexpr std::uint32_t least_samples = 2;

  [[nodiscard]] double scale(std::span<double const> losses) const noexcept {
    double const n = static_cast<double>(losses.size());
    double mean = 0;
    for (double loss : losses) mean = with_share(mean, loss, n);
    double squares = 0;
    for (double loss : losses) {
      double const away = rounded_difference(loss, mean);
      squares = rounded_fma(away, away, squares);
    }
    double const sigma = rounded_root(rounded_quotient(squares, n - 1));
    return sigma > 0 ? rounded_quotient(1, sigma) : 0;
  }
  [[nodiscard]] static constexpr std::string_view name() noexcept { return "fzoo"; }
  bool operator==(Fzoo const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA
