// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <zeroth/config.hpp>
#include <zeroth/describe.hpp>
#include <zeroth/error.hpp>
#include <zeroth/numeric/array.hpp>
#include <zeroth/numeric/fma.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/numeric/rounded.hpp>
#include <zeroth/update/sgd.hpp>

namespace zeroth::ZEROTH_ISA {

/// m <- beta m + d, theta <- theta - eta m, to the bit.
struct MomentumRule {
  float beta = 0;
  float step_size = 0;

  [[nodiscard]] ZEROTH_HOST_DEVICE float operator()(float theta, float direction, Array<float, 1>& m) const noexcept {
    m[0] = fused_multiply_add(beta, m[0], direction);
    return fused_multiply_add(-step_size, m[0], theta);
  }
};

/// Heavy-ball momentum on the estimate of the gradient (ZO-SGD-MMT; Zhang et al., "Revisiting Zeroth-Order Optimization
/// for Memory-Efficient LLM Fine-Tuning: A Benchmark", arXiv 2402.11592, whose code uses PyTorch's SGD): each step adds
/// to a running sum that fades by beta. 4 bytes per weight.
///
/// In the long run a step is worth 1 / (1 - beta) steps of Sgd, so reduce the learning rate by that factor.
struct Momentum {
  double beta = 0.9;
  double weight_decay = 0;

  static constexpr std::size_t state_floats = 1;

  [[nodiscard]] MomentumRule rule(float step_size, std::uint64_t /*updates*/) const noexcept {
    return {static_cast<float>(beta), step_size};
  }
  [[nodiscard]] double decay(double learning_rate) const noexcept {
    return rounded_product(learning_rate, weight_decay);
  }
  void check() const {
    detail::check_weight_decay(weight_decay);
    detail::check_fading("beta", beta);
  }
  [[nodiscard]] static constexpr std::string_view name() noexcept { return "momentum"; }
  [[nodiscard]] std::string description() const {
    return described(name(), {{"beta", number_text(beta)}, {"weight_decay", number_text(weight_decay)}});
  }
  bool operator==(Momentum const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA
