// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <zeroth/describe.hpp>
#include <zeroth/error.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/numeric/rounded.hpp>
#include <zeroth/update/power.hpp>
#include <zeroth/update/sgd.hpp>

namespace zeroth::ZEROTH_ISA {

/// Momentum that stores nothing per weight: each update regenerates the noise of the last `window` updates and adds
/// each with its share of the running sum, so memory is that of inference. For f32 weights and fixed masks that do not
/// depend on the weights: with any other mask, a past update would have touched other weights.
///
/// Updates older than the window are left out: beta^window of the sum, 0.0012 at the defaults. An update generates the
/// noise of `window` steps in its pass over the weights.
struct WindowMomentum {
  double beta = 0.9;
  std::uint32_t window = 64;
  double weight_decay = 0;

  /// The samples' shares of the estimate of the gradient.
  void coefficients(std::span<double const> g, double /*learning_rate*/, std::span<float> c) const {
    detail::mean_coefficients(g, c);
  }
  /// See UpdateWithWindow.
  [[nodiscard]] float term_coefficient(float c, float step_size, std::uint32_t age) const noexcept {
    return -(step_size * static_cast<float>(detail::power(beta, age))) * c;
  }
  [[nodiscard]] double decay(double learning_rate) const noexcept {
    return rounded_product(learning_rate, weight_decay);
  }
  void check() const {
    detail::check_weight_decay(weight_decay);
    detail::check_fading("beta", beta);
    if (window == 0) throw InvalidArgument("window must be at least 1 update, got 0");
  }
  [[nodiscard]] static constexpr std::string_view name() noexcept { return "window-momentum"; }
  [[nodiscard]] std::string description() const {
    return described(
        name(),
        {{"beta", number_text(beta)}, {"window", number_text(window)}, {"weight_decay", number_text(weight_decay)}});
  }
  bool operator==(WindowMomentum const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA
