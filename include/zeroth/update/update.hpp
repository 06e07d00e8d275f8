// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <zeroth/update/elementwise_rule.hpp>
#include <zeroth/update/sgd.hpp>

namespace zeroth::ZEROTH_ISA {

/// Turns a step's projected gradients into a change of the weights that is a sum of noise: a few scalars, nothing per
/// weight. (An update that is not such a sum, or that keeps state per weight, is an ElementwiseUpdate.)
///
/// 1. A regular value type: default constructible, copyable, comparable.
/// 2. `update.coefficients(g, learning_rate, c)` writes, for each sample s, the f32 coefficient c[s] of its noise; g[s]
///    is the projected gradient along z(s); both spans have one element per sample. The weights move by the direction
///    d = sum_s c[s] m z(s), so descent along the mean over n samples has c[s] = -learning_rate g[s] / n.
/// 3. `update.decay(learning_rate)` returns the share of itself that an active weight loses first; 0 for none.
/// 4. `check()` throws InvalidArgument naming a field that is out of range; called once, when the optimizer is made.
/// 5. `name()` identifies the update in logs and journals; an update with settings also has `description()`, see
///    describe.
/// 6. An update may also sum over past steps: see UpdateWithWindow.
///
/// The smallest type that satisfies it, a step of fixed length along the direction:
///
///     struct Normalized {
///       void coefficients(std::span<double const> g, double learning_rate, std::span<float> c) const {
///         float const length = static_cast<float>(learning_rate);
///         for (std::size_t s = 0; s < g.size(); ++s) c[s] = g[s] < 0 ? length : -length;
///       }
///       double decay(double) const { return 0; }
///       void check() const {}
///       static constexpr std::string_view name() { return "normalized"; }
///       bool operator==(Normalized const&) const = default;
///     };
template <class T>
concept Update = std::regular<T> && !requires {
  T::state_floats;
}
&&requires(T const& update, std::span<double const> g, double learning_rate, std::span<float> c) {
  update.coefficients(g, learning_rate, c);
  { update.decay(learning_rate) } -> std::convertible_to<double>;
  update.check();
  { update.name() } -> std::convertible_to<std::string_view>;
};

/// An Update that also adds the noise of past steps. The optimizer remembers their coefficients and regenerates their
/// noise; nothing is stored per weight.
///
/// 1. `update.window` (an unsigned integer): the number of updates that are summed, including the step's own.
/// 2. `update.term_coefficient(c, step_size, age)` returns the f32 factor of the noise of a sample whose coefficient
///    was c in the update made `age` updates ago (0: now); `step_size` is the current learning rate. The step's own
///    noise is added first, then that of past updates, newest first.
///
/// It needs f32 weights, and a fixed mask that does not depend on the weights. WindowMomentum is one.
template <class T>
concept UpdateWithWindow = Update<T> && requires(T const& update, float c, float step_size, std::uint32_t age) {
  { update.window } -> std::convertible_to<std::uint32_t>;
  { update.term_coefficient(c, step_size, age) } -> std::same_as<float>;
};

/// Turns a step's projected gradients into a change of the weights, weight by weight: for an update that is not a sum
/// of noise, or that keeps values of its own per weight. The optimizer owns these: f32, initially zero, 4 state_floats
/// bytes per weight. Inactive weights keep theirs, and a skipped step changes none. Replay rebuilds them.
///
/// 1. A regular value type: default constructible, copyable, comparable.
/// 2. `static constexpr std::size_t state_floats`: the number of values per weight, 0 to max_state_floats.
/// 3. `update.rule(step_size, updates)` returns an ElementwiseRule for them; `step_size` is the learning rate as f32,
///    `updates` is how many updates were made, including this one.
/// 4. `update.coefficients(g, learning_rate, c)` is optional: it computes the coefficients of the direction that the
///    rule receives, as in Update. Without it c[s] = g[s] / n, and the direction is the estimate of the gradient.
/// 5. `decay`, `check`, `name`: as in Update.
///
/// The smallest type that satisfies it, a step along the sign of a running mean:
///
///     struct SignOfMean {
///       static constexpr std::size_t state_floats = 1;
///       struct Rule {
///         float step_size = 0;
///         float operator()(float theta, float direction, std::span<float, 1> mean) const {
///           mean[0] = std::fma(0.9F, mean[0], 0.1F * direction);
///           return mean[0] > 0 ? theta - step_size : theta + step_size;
///         }
///       };
///       Rule rule(float step_size, std::uint64_t) const { return {step_size}; }
///       double decay(double) const { return 0; }
///       void check() const {}
///       static constexpr std::string_view name() { return "sign-of-mean"; }
///       bool operator==(SignOfMean const&) const = default;
///     };
template <class T>
concept ElementwiseUpdate = std::regular<T> && requires(T const& update, float step_size, std::uint64_t updates) {
  requires T::state_floats <= max_state_floats;
  { update.rule(step_size, updates) } -> ElementwiseRule<T::state_floats>;
  { update.decay(double{}) } -> std::convertible_to<double>;
  update.check();
  { update.name() } -> std::convertible_to<std::string_view>;
};

/// Computes the coefficients of a step's direction as the update defines them.
/// @param g projected gradients, one per sample
/// @param c one per sample
template <class U>
void direction_coefficients(U const& update, std::span<double const> g, double learning_rate, std::span<float> c) {
  if constexpr (requires { update.coefficients(g, learning_rate, c); })
    update.coefficients(g, learning_rate, c);
  else
    detail::mean_coefficients(g, c);
}

/// How many past updates an update adds to the step's own.
template <class U>
[[nodiscard]] std::size_t updates_before([[maybe_unused]] U const& update) noexcept {
  if constexpr (UpdateWithWindow<U>) return std::max<std::size_t>(update.window, 1) - 1;
  return 0;
}

}  // namespace zeroth::ZEROTH_ISA
