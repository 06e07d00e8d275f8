// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <zeroth/config.hpp>
#include <zeroth/describe.hpp>
#include <zeroth/error.hpp>
#include <zeroth/numeric/array.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/fma.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/numeric/rounded.hpp>
#include <zeroth/update/power.hpp>
#include <zeroth/update/sgd.hpp>

namespace zeroth::ZEROTH_ISA {

/// Adam's step of one weight, to the bit: each rounding is that of one IEEE operation, in this order.
///
///     m <- fma(beta_1, m, (1 - beta_1) d)
///     v <- fma(beta_2, v, ((1 - beta_2) d) d)
///     theta <- fma(-eta, (m scale_m) / (sqrt(v scale_v) + epsilon), theta)
struct AdamRule {
  float beta_1 = 0;
  float one_minus_beta_1 = 1;
  float beta_2 = 0;
  float one_minus_beta_2 = 1;
  float scale_m = 1;  ///< 1 / (1 - beta_1^t): corrects the bias of the first t updates
  float scale_v = 1;  ///< 1 / (1 - beta_2^t)
  float epsilon = 0;
  float step_size = 0;

  [[nodiscard]] ZEROTH_HOST_DEVICE float operator()(float theta, float direction,
                                                    Array<float, 2>& state) const noexcept {
    state[0] = fused_multiply_add(beta_1, state[0], one_minus_beta_1 * direction);
    state[1] = fused_multiply_add(beta_2, state[1], one_minus_beta_2 * direction * direction);
    float const size = std::sqrt(state[1] * scale_v) + epsilon;
    return fused_multiply_add(-step_size, state[0] * scale_m / size, theta);
  }
};

/// AdaMM's step of one weight: Adam's, with the largest v so far, which is the third value of the state.
struct AdaMmRule {
  AdamRule adam;

  [[nodiscard]] ZEROTH_HOST_DEVICE float operator()(float theta, float direction,
                                                    Array<float, 3>& state) const noexcept {
    state[0] = fused_multiply_add(adam.beta_1, state[0], adam.one_minus_beta_1 * direction);
    state[1] = fused_multiply_add(adam.beta_2, state[1], adam.one_minus_beta_2 * direction * direction);
    state[2] = state[1] > state[2] ? state[1] : state[2];
    float const size = std::sqrt(state[2]) + adam.epsilon;
    return fused_multiply_add(-adam.step_size, state[0] / size, theta);
  }
};

/// Adam on the estimate of the gradient (Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015;
/// ZO-Adam in Zhang et al., arXiv 2402.11592), with decoupled weight decay. 8 bytes per weight.
///
/// t counts the updates made: a skipped step changes neither state nor t.
struct Adam {
  double beta_1 = 0.9;
  double beta_2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;

  static constexpr std::size_t state_floats = 2;

  [[nodiscard]] AdamRule rule(float step_size, std::uint64_t updates) const noexcept {
    auto scale = [&](double beta) {
      return rounded_single(rounded_quotient(1, rounded_difference(1, detail::power(beta, updates))));
    };
    return {rounded_single(beta_1),  rounded_single(rounded_difference(1, beta_1)),
            rounded_single(beta_2),  rounded_single(rounded_difference(1, beta_2)),
            scale(beta_1),           scale(beta_2),
            rounded_single(epsilon), step_size};
  }
  [[nodiscard]] double decay(double learning_rate) const noexcept {
    return rounded_product(learning_rate, weight_decay);
  }
  void check() const {
    detail::check_weight_decay(weight_decay);
    detail::check_fading("beta_1", beta_1);
    detail::check_fading("beta_2", beta_2);
    if (!(static_cast<float>(epsilon) > 0))
      throw InvalidArgument("epsilon of Adam must be > 0, got " + number_text(epsilon));
    if (!is_finite(static_cast<float>(epsilon)))
      throw InvalidArgument("epsilon of Adam must be finite as an f32, got " + number_text(epsilon));
  }
  [[nodiscard]] static constexpr std::string_view name() noexcept { return "adam"; }
  [[nodiscard]] std::string description() const {
    return described(name(), {{"beta_1", number_text(beta_1)},
                              {"beta_2", number_text(beta_2)},
                              {"epsilon", number_text(epsilon)},
                              {"weight_decay", number_text(weight_decay)}});
  }
  bool operator==(Adam const&) const = default;
};

/// AMSGrad on the estimate of the gradient: Adam with the largest second moment so far, without bias correction
/// (ZO-AdaMM; Chen et al., "ZO-AdaMM: Zeroth-Order Adaptive Momentum Method for Black-Box Optimization", NeurIPS 2019,
/// arXiv 1910.06513; without constraints, so without projection). 12 bytes per weight.
struct AdaMm : Adam {
  static constexpr std::size_t state_floats = 3;

  [[nodiscard]] AdaMmRule rule(float step_size, std::uint64_t updates) const noexcept {
    return {Adam::rule(step_size, updates)};
  }
  [[nodiscard]] static constexpr std::string_view name() noexcept { return "adamm"; }
  [[nodiscard]] std::string description() const {
    return described(name(), {{"beta_1", number_text(beta_1)},
                              {"beta_2", number_text(beta_2)},
                              {"epsilon", number_text(epsilon)},
                              {"weight_decay", number_text(weight_decay)}});
  }
  bool operator==(AdaMm const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA
