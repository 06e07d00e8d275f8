// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <zeroth/describe.hpp>
#include <zeroth/mask/check_mask.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/mask/mask.hpp>

namespace zeroth::ZEROTH_ISA {

/// Whether two masks are combined by "and" or by "or".
enum class Combination : std::uint8_t { both, either };

/// Combines the masks of one tensor.
template <Combination how, MaskRule A, MaskRule B>
struct CombinedRule {
  static constexpr bool depends_on_weights = zeroth::depends_on_weights<A> || zeroth::depends_on_weights<B>;
  static constexpr Combination combination = how;

  TensorMask<A> first;
  TensorMask<B> second;

  ZEROTH_CALLS_USERS_CODE
  [[nodiscard]] ZEROTH_HOST_DEVICE bool operator()(float theta, std::uint64_t element) const {
    return how == Combination::both ? first(theta, element) && second(theta, element)
                                    : first(theta, element) || second(theta, element);
  }
};

/// Active: the weights that both policies select, or at least one of them does; made by `both` and `either`.
template <Combination how, MaskPolicy A, MaskPolicy B>
struct CombinedMask {
  A first;
  B second;

  struct State {
    MaskState<A> first;
    MaskState<B> second;

    using Rule = CombinedRule<how, MaskRuleOf<MaskState<A>>, MaskRuleOf<MaskState<B>>>;

    [[nodiscard]] bool is_fixed() const { return is_fixed_mask(first) && is_fixed_mask(second); }

    [[nodiscard]] TensorMask<Rule> tensor(std::size_t index, std::uint32_t step) const {
      Rule const rule{first.tensor(index, step), second.tensor(index, step)};
      constexpr bool both = how == Combination::both;
      constexpr Coverage decides = both ? Coverage::none : Coverage::all;
      constexpr Coverage yields = both ? Coverage::all : Coverage::none;
      Coverage const a = rule.first.coverage;
      Coverage const b = rule.second.coverage;
      if (a == decides || b == decides) return {decides, rule};
      return {a == yields && b == yields ? yields : Coverage::some, rule};
    }

    void begin_step(ParameterSet const& parameters, WeightReader const& weights, std::uint32_t step) {
      begin_mask_step(first, parameters, weights, step);
      begin_mask_step(second, parameters, weights, step);
    }
  };

  [[nodiscard]] State prepare(ParameterSet const& parameters, WeightReader const& weights) const {
    return {prepare_mask(first, parameters, weights), prepare_mask(second, parameters, weights)};
  }

  [[nodiscard]] std::string name() const { return joined(std::string(first.name()), std::string(second.name())); }
  [[nodiscard]] std::string description() const { return joined(describe(first), describe(second)); }
  bool operator==(CombinedMask const&) const = default;

 private:
  [[nodiscard]] static std::string joined(std::string const& a, std::string const& b) {
    return (how == Combination::both ? "both(" : "either(") + a + ", " + b + ")";
  }
};

namespace detail {

template <Combination how, class A, class B>
[[nodiscard]] auto combined(A first, B second) {
  if constexpr (MaskPolicy<A> && MaskPolicy<B>) {
    return CombinedMask<how, A, B>{std::move(first), std::move(second)};
  } else {
    check_mask<A>();
    check_mask<B>();
    return Dense{};  // so that the sentence above is the only error
  }
}

}  // namespace detail

/// The intersection of two mask policies, a CombinedMask: `zeroth::both(SmallestMagnitude{0.5}, RandomMask{0.5})`.
template <class A, class B>
[[nodiscard]] auto both(A first, B second) {
  return detail::combined<Combination::both>(std::move(first), std::move(second));
}

/// The union of two mask policies, a CombinedMask.
template <class A, class B>
[[nodiscard]] auto either(A first, B second) {
  return detail::combined<Combination::either>(std::move(first), std::move(second));
}

}  // namespace zeroth::ZEROTH_ISA
