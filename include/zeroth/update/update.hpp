// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include <zeroth/update/state_rule.hpp>

namespace zeroth::ZEROTH_ISA {

/// How a step's projected gradients become a change of the weights. An update without state per weight is a few
/// scalars: a coefficient for each sample's noise.
///
/// 1. A regular value type: default constructible, copyable, comparable.
/// 2. `update.coefficients(g, learning_rate, c)` writes, for each sample s, the f32 factor c[s] of its noise; g[s] is
/// the
///    projected gradient along z(s); both spans have one element a sample. The direction is sum_s c[s] m z(s), so
///    descent along the mean over n samples has c[s] = -learning_rate g[s] / n.
/// 3. `update.decay(learning_rate)` returns the share of itself that an active weight loses first; 0 for none.
/// 4. `update.takes_sign` (bool, static or not): true if each weight moves by learning_rate along the sign of the
/// direction
///    instead of by the direction itself.
/// 5. `check()` throws InvalidArgument that names a field out of range; called once, when the optimizer is made.
/// 6. `name()` identifies the rule in logs and journals; a rule with settings has `description()` too, see describe.
/// 7. `update.only_descends` (bool, static or not), if present and true: the loss is also evaluated at theta, after the
///    step and after its reverse, and theta becomes the lowest of the three. Only for an update without state and
///    window: StatefulUpdate and WindowedUpdate have no such points, and an optimizer refuses one that says so.
///
/// The smallest type that satisfies it, a step of fixed length along the direction:
///
///     struct Normalized {
///       static constexpr bool takes_sign = false;
///       void coefficients(std::span<double const> g, double learning_rate, std::span<float> c) const {
///         for (std::size_t s = 0; s < g.size(); ++s) c[s] = static_cast<float>(g[s] < 0 ? learning_rate :
///         -learning_rate);
///       }
///       double decay(double) const { return 0; }
///       void check() const {}
///       static constexpr std::string_view name() { return "normalized"; }
///       bool operator==(Normalized const&) const = default;
///     };
template <class T>
concept Update = std::regular<T> &&
    requires(T const& update, std::span<double const> g, double learning_rate, std::span<float> c) {
  update.coefficients(g, learning_rate, c);
  { update.decay(learning_rate) } -> std::convertible_to<double>;
  { update.takes_sign } -> std::convertible_to<bool>;
  update.check();
  { update.name() } -> std::convertible_to<std::string_view>;
};

/// How a step's projected gradients become a change of the weights, for an update that keeps values of its own for each
/// weight. The optimizer owns them: zeros at first, f32, 4 state_floats bytes a weight. Inactive weights keep theirs,
/// and a skipped step changes none. Replay rebuilds them.
///
/// 1. A regular value type: default constructible, copyable, comparable.
/// 2. `static constexpr std::size_t state_floats`: how many values a weight has, 1 to 8.
/// 3. `update.rule(step_size, updates)` returns a StateRule for them; `step_size` is the learning rate as f32,
///    `updates` how many updates were made, this one included.
/// 4. `update.decay(learning_rate)` returns the share of itself that an active weight loses first; 0 for none.
/// 5. `check()` throws InvalidArgument that names a field out of range; called once, when the optimizer is made.
/// 6. `name()` identifies the rule in logs and journals.
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
concept StatefulUpdate = std::regular<T> && requires(T const& update, float step_size, std::uint64_t updates) {
  requires T::state_floats >= 1 && T::state_floats <= 8;
  { update.rule(step_size, updates) } -> StateRule<T::state_floats>;
  { update.decay(double{}) } -> std::convertible_to<double>;
  update.check();
  { update.name() } -> std::convertible_to<std::string_view>;
};

/// How a step's projected gradients become a change of the weights, for an update that is a sum over the noise of the
/// last updates. The optimizer remembers their scalars and makes their noise again; nothing is held for a weight.
///
/// 1. A regular value type: default constructible, copyable, comparable.
/// 2. `update.window` (an unsigned integer): how many updates are summed, the step's own included.
/// 3. `update.coefficient(direction, step_size, age)` returns the f32 factor of the noise of a sample, whose update was
///    `age` updates ago (0: now) and whose share of the gradient's estimate was `direction`; `step_size` is the
///    learning rate of now. The step's own noise is added first, then that of older updates, youngest first.
/// 4. `decay`, `check`, `name`: as for StatefulUpdate.
///
/// Only weights of f32 and masks that are fixed and do not depend on the weights are taken. WindowMomentum is one.
template <class T>
concept WindowedUpdate = std::regular<T> &&
    requires(T const& update, float direction, float step_size, std::uint32_t age) {
  { update.window } -> std::convertible_to<std::uint32_t>;
  { update.coefficient(direction, step_size, age) } -> std::same_as<float>;
  { update.decay(double{}) } -> std::convertible_to<double>;
  update.check();
  { update.name() } -> std::convertible_to<std::string_view>;
};

/// Whether a type may say `only_descends`: false where it does not, or where the compiler sees that it is false.
template <class U>
inline constexpr bool may_only_descend = requires(U const& update) {
  update.only_descends;
};
template <class U>
requires requires {
  typename std::bool_constant<U::only_descends>;
}
inline constexpr bool may_only_descend<U> = U::only_descends;

/// Requirement 7 of Update: false for an update that does not say.
template <class U>
[[nodiscard]] constexpr bool only_descends(U const& update) noexcept {
  if constexpr (requires { update.only_descends; })
    return update.only_descends;
  else
    return false;
}

}  // namespace zeroth::ZEROTH_ISA
