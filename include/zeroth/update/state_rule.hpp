// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>

#include <zeroth/numeric/array.hpp>

namespace zeroth::ZEROTH_ISA {

/// What an update with state does to one weight: what a kernel receives, so a small value that is cheap to copy.
///
/// `rule(theta, direction, state)` is pure and returns what becomes of theta; `state` are the weight's own values,
/// which it may change (an Array<float, floats>&, or a std::span<float, floats> if it is for the host alone), and
/// `direction` the estimate of the gradient. Its bits are the same on every machine only if each multiply-add in it is
/// an explicit std::fma or cannot be contracted.
template <class T, std::size_t floats>
concept StateRule = std::semiregular<T> &&
    requires(T const& rule, float theta, float direction, Array<float, floats>& state) {
  { rule(theta, direction, state) } -> std::same_as<float>;
};

namespace detail {

template <class Rule, std::size_t floats = 1>
[[nodiscard]] consteval std::size_t count_state_floats() {
  if constexpr (StateRule<Rule, floats>)
    return floats;
  else if constexpr (floats < 8)
    return count_state_floats<Rule, floats + 1>();
  else
    return 0;
}

}  // namespace detail

/// How many values of each weight a rule takes, up to 8; 0 for what is no StateRule.
template <class Rule>
inline constexpr std::size_t state_floats = detail::count_state_floats<Rule>();

}  // namespace zeroth::ZEROTH_ISA
