// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <zeroth/describe.hpp>
#include <zeroth/error.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/numeric/rounded.hpp>

namespace zeroth::ZEROTH_ISA {

namespace detail {

inline void check_weight_decay(double weight_decay) {
  if (!(weight_decay >= 0 && weight_decay <= 1))
    throw InvalidArgument("weight_decay must be in [0, 1], got " + number_text(weight_decay));
}

/// Checks the factor by which a running mean or sum fades.
inline void check_fading(std::string const& field, double beta) {
  if (!(static_cast<float>(beta) >= 0 && static_cast<float>(beta) < 1))
    throw InvalidArgument(field + " must be in [0, 1), got " + number_text(beta));
}

/// c[s] = -learning_rate g[s] / n: the direction is a step of gradient descent.
inline void descent_coefficients(std::span<double const> g, double learning_rate, std::span<float> c) {
  for (std::size_t s = 0; s < g.size(); ++s)
    c[s] = rounded_single(rounded_quotient(rounded_product(-learning_rate, g[s]), static_cast<double>(g.size())));
}

/// c[s] = g[s] / n: the direction is the estimate of the gradient.
inline void mean_coefficients(std::span<double const> g, std::span<float> c) {
  for (std::size_t s = 0; s < g.size(); ++s)
    c[s] = rounded_single(rounded_quotient(g[s], static_cast<double>(g.size())));
}

}  // namespace detail

/// theta <- theta - eta (mean_s g_s m z_s + weight_decay m theta): the paper's update, with decoupled weight decay of
/// the active weights.
struct Sgd {
  double weight_decay = 0;

  void coefficients(std::span<double const> g, double learning_rate, std::span<float> c) const {
    detail::descent_coefficients(g, learning_rate, c);
  }
  [[nodiscard]] double decay(double learning_rate) const noexcept {
    return rounded_product(learning_rate, weight_decay);
  }
  void check() const { detail::check_weight_decay(weight_decay); }
  [[nodiscard]] static constexpr std::string_view name() noexcept { return "sgd"; }
  [[nodiscard]] std::string description() const {
    return described(name(), {{"weight_decay", number_text(weight_decay)}});
  }
  bool operator==(Sgd const&) const = default;
};

}  // namespace zeroth::ZEROTH_ISA
