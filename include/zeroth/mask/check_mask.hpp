// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <zeroth/mask/mask.hpp>

// What a compiler says about a type that is no MaskPolicy, in one sentence. Each static_assert tests a bool, not a
// concept: of a concept, compilers would list every requirement.

namespace zeroth::ZEROTH_ISA::detail {

template <class T>
inline constexpr bool has_name = requires(T const& policy) {
  { policy.name() } -> std::convertible_to<std::string_view>;
};

/// Whether an optional member of a mask's state that is there is one that gets called: `begin_step` with other
/// parameters would be ignored in silence.
template <class State>
inline constexpr bool begins_steps_if_it_says_so = !requires {
  &State::begin_step;
}
|| requires(State& state, ParameterSet const& parameters, WeightReader const& weights, std::uint32_t step) {
  state.begin_step(parameters, weights, step);
};

/// The same of a whole policy.
template <class M>
[[nodiscard]] consteval bool says_nothing_unheard() {
  return begins_steps_if_it_says_so<MaskState<M>>;
}

template <class State>
consteval void check_mask_state() {
  constexpr bool has_tensor = requires(State const& state) {
    state.tensor(std::size_t{}, std::uint32_t{});
  };
  static_assert(has_tensor,
                "zeroth: the state that the mask's prepare returns lacks its masks: write zeroth::TensorMask<Rule> "
                "tensor(std::size_t index, std::uint32_t step) const");
  if constexpr (has_tensor) {
    using Mask = decltype(std::declval<State const&>().tensor(std::size_t{}, std::uint32_t{}));
    constexpr bool is_mask = requires(Mask const& mask) {
      { mask.coverage } -> std::convertible_to<Coverage>;
      mask.rule;
    };
    static_assert(is_mask, "zeroth: tensor(index, step) of the mask's state must return a zeroth::TensorMask<Rule>");
    if constexpr (is_mask) {
      constexpr bool is_rule = MaskRule<decltype(std::declval<Mask>().rule)>;
      static_assert(is_rule,
                    "zeroth: the mask's Rule must be default constructible, copyable and callable: write bool "
                    "operator()(float theta, std::uint64_t element) const");
    }
  }
  constexpr bool is_heard = begins_steps_if_it_says_so<State>;
  static_assert(is_heard,
                "zeroth: begin_step of the mask's state has other parameters, and would never be called: write void "
                "begin_step(ParameterSet const&, WeightReader const&, std::uint32_t step)");
}

/// Says in one sentence what a type lacks to be a MaskPolicy.
template <class M>
consteval bool check_mask() {
  constexpr bool is_prepared = requires(M const& policy, ParameterSet const& parameters, WeightReader const& weights) {
    policy.prepare(parameters, weights);
  };
  constexpr bool names_prepare = requires {
    &M::prepare;
  };
  constexpr bool is_callable = requires(M const& policy) {
    policy(float{}, std::uint64_t{});
  };
  constexpr bool returns_bool = requires(M const& policy) {
    { policy(float{}, std::uint64_t{}) } -> std::same_as<bool>;
  };
  if constexpr (is_prepared) {
    check_mask_state<decltype(std::declval<M const&>().prepare(std::declval<ParameterSet const&>(),
                                                               std::declval<WeightReader const&>()))>();
  } else {
    static_assert(!names_prepare || is_callable,
                  "zeroth: the mask's prepare has other parameters, or is not const: write State prepare(ParameterSet "
                  "const&, WeightReader const&) const");
    static_assert(
        names_prepare || is_callable,
        "zeroth: the mask lacks its rule: write bool operator()(float theta, std::uint64_t element) const, or "
        "State prepare(ParameterSet const&, WeightReader const&) const for one that knows its tensor");
    static_assert(!is_callable || returns_bool, "zeroth: operator() of the mask must return bool");
  }
  static_assert(has_name<M>, "zeroth: the mask lacks its name: write static constexpr std::string_view name()");
  constexpr bool is_regular = std::regular<M>;
  static_assert(is_regular,
                "zeroth: the mask must be default constructible, copyable and comparable: write bool operator==(X "
                "const&) const = default");
  return true;
}

}  // namespace zeroth::ZEROTH_ISA::detail
