// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <zeroth/config.hpp>
#include <zeroth/describe.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/numeric/rounded.hpp>
#include <zeroth/update/sgd.hpp>

namespace zeroth::ZEROTH_ISA {

/// Moves theta by step_size along the sign of the direction; a direction of 0 leaves it.
struct SignRule {
  float step_size = 0;

  [[nodiscard]] ZEROTH_HOST_DEVICE float operator()(float theta, float direction) const noexcept {
    return direction > 0 ? theta + step_size : direction < 0 ? theta - step_size : theta;
  }
};

/// theta <- theta - eta sign(mean_s g_s m z_s): each active weight moves by eta (ZO-SGD-Sign; Liu et al., "signSGD via
/// Zeroth-Order Oracle", ICLR 2019). A weight whose estimate is zero does not move.
struct SignSgd {
  double weight_decay = 0;

  static constexpr std::size_t state_floats = 0;

  void coefficients(std::span<double const> g, double learning_rate, std::span<float> c) const {
    detail::descent_coefficients(g, learning_rate, c);
  }
  [[nodiscard]] SignRule rule(float step_size, std::uint64_t /*updates*/) const noexcept { return {step_size}; }
  [[nodiscard]] double decay(double learning_rate) const noexcept {
    return rounded_product(learning_rate, weight_decay);
  }
  void check() const { detail::check_weight_decay(weight_decay); }
  [[nodiscard]] static constexpr std::string_view name() noexcept { return "sign-sgd"; }
  [[nodiscard]] std::string description() const {
    return described(name(), {{"weight_decay", number_text(weight_decay)}});
  }
  bool operator==(SignSgd const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA
