// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>

#include <zeroth/numeric/array.hpp>

namespace zeroth::ZEROTH_ISA {

namespace detail {

template <class T, std::size_t floats>
inline constexpr bool is_elementwise_rule = requires(T const& rule, float theta, float direction,
                                                     Array<float, floats>& state) {
  { rule(theta, direction, state) } -> std::same_as<float>;
};
template <class T>
inline constexpr bool is_elementwise_rule<T, 0> = requires(T const& rule, float theta, float direction) {
  { rule(theta, direction) } -> std::same_as<float>;
};

}  // namespace detail

/// What an ElementwiseUpdate does to one weight. Kernels receive it by value, so it is small and cheap to copy.
///
/// `rule(theta, direction, state)` is pure and returns the new theta. `state` holds the weight's own values, which the
/// rule may change (an Array<float, floats>&, or a std::span<float, floats> in host-only code); `direction` is the
/// noise combined with the step's coefficients. A rule without state is called as `rule(theta, direction)`. Its results
/// for inactive weights are discarded. Without branches it becomes vector code on the CPU (docs/policies.md). Its bits
/// are the same on every machine only if each multiply-add in it is an explicit std::fma or cannot be contracted.
template <class T, std::size_t floats>
concept ElementwiseRule = std::semiregular<T> && detail::is_elementwise_rule<T, floats>;

/// The most values that an ElementwiseUpdate may keep per weight.
inline constexpr std::size_t max_state_floats = 8;

namespace detail {

template <class Rule, std::size_t floats = 0>
[[nodiscard]] consteval std::size_t count_state_floats() {
  static_assert(floats <= max_state_floats, "zeroth: not an ElementwiseRule (see zeroth/update/elementwise_rule.hpp)");
  if constexpr (ElementwiseRule<Rule, floats> || floats > max_state_floats)
    return floats;
  else
    return count_state_floats<Rule, floats + 1>();
}

}  // namespace detail

/// How many values per weight a rule takes.
template <class Rule>
inline constexpr std::size_t state_floats = detail::count_state_floats<Rule>();

}  // namespace zeroth::ZEROTH_ISA
