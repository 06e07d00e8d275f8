// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include <zeroth/backend/backend.hpp>
#include <zeroth/estimator/estimator.hpp>
#include <zeroth/mask/check_mask.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/objective.hpp>
#include <zeroth/options.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/update/update.hpp>

// The sentences that a compiler says about a type that is no policy. Each static_assert tests a bool, not a concept: of
// a concept, compilers would list every requirement.

namespace zeroth::ZEROTH_ISA::detail {

/// Whether these types make an optimizer.
template <class S, class M, class B, class U, class E>
[[nodiscard]] consteval bool are_policies() {
  if constexpr (Sampler<S> && MaskPolicy<M> && Backend<B> && (Update<U> || ElementwiseUpdate<U>)&&Estimator<E>) {
    if constexpr (!says_nothing_unheard<M>()) return false;
    if constexpr (UpdateWithWindow<U>) return !depends_on_weights<MaskRuleOf<MaskState<M>>>;
    return true;
  } else {
    return false;
  }
}

/// Stands for a policy that is left out.
struct Missing {};

/// Whether a type is a policy, or another argument, of another place than its own.
template <class T>
inline constexpr bool has_a_place =
    Sampler<T> || MaskPolicy<T> || Backend<T> || Update<T> || ElementwiseUpdate<T> || Estimator<T> ||
    std::same_as<T, Options> || std::same_as<T, ParameterSet> || std::same_as<T, Missing>;

template <class S>
consteval void check_sampler() {
  constexpr bool is_callable = requires(S const& sampler, RandomBlock const& block) {
    sampler(block);
  };
  static_assert(is_callable,
                "zeroth: the sampler lacks its map: write std::array<float, N> operator()(zeroth::RandomBlock const& "
                "bits) const, N one of 1, 2, 4, ..., 128");
  if constexpr (is_callable) {
    using Values = decltype(std::declval<S const&>()(std::declval<RandomBlock const&>()));
    constexpr std::size_t n = array_size<Values>;
    constexpr bool returns_floats = is_array_of_floats<Values> && n >= 1 && tile_size % n == 0;
    static_assert(returns_floats,
                  "zeroth: the sampler must return std::array<float, N> or zeroth::Array<float, N> from operator(), N "
                  "one of 1, 2, 4, ..., 128");
  }
  static_assert(has_name<S>, "zeroth: the sampler lacks its name: write static constexpr std::string_view name()");
  constexpr bool is_regular = std::regular<S>;
  static_assert(is_regular,
                "zeroth: the sampler must be default constructible, copyable and comparable: write bool "
                "operator==(X const&) const = default");
}

template <class B>
consteval void check_backend() {
  using Mask = TensorMask<Dense::Rule>;
  using Noise = NoiseField<Gaussian>;
  constexpr bool expands = requires(B const& b, Parameter const& p, Mask const& mask, Noise const& z,
                                    std::span<Point const> points, std::span<float* const> panels) {
    b.expand(p, mask, z, points, float{}, std::uint64_t{}, std::uint64_t{}, panels);
  };
  static_assert(expands,
                "zeroth: the backend lacks expand(tensor, mask, noise, points, epsilon, first, count, panels) const "
                "(see zeroth/backend/backend.hpp)");
  constexpr bool applies = requires(B const& b, Parameter const& p, void const* source, Mask const& mask,
                                    Noise const& z, ElementwisePass const& pass) {
    { b.apply(p, source, mask, z, pass) } -> std::convertible_to<std::uint64_t>;
  };
  static_assert(applies,
                "zeroth: the backend lacks std::uint64_t apply(tensor, source, mask, noise, pass) const, with a source "
                "of type void const* (see zeroth/backend/backend.hpp)");
  constexpr bool applies_rules = requires(B const& b, Parameter const& p, void const* source, Mask const& mask,
                                          Noise const& z, ElementwisePass const& pass, float* state) {
    { b.apply_rule(p, source, mask, z, pass, MomentumRule{}, state) } -> std::convertible_to<std::uint64_t>;
  };
  static_assert(applies_rules,
                "zeroth: the backend lacks std::uint64_t apply_rule(tensor, source, mask, noise, pass, rule, state) "
                "const (see zeroth/backend/backend.hpp)");
  constexpr bool previews = requires(B const& b, Parameter const& p, Mask const& mask, Noise const& z,
                                     ElementwisePass const& pass, float* panel) {
    b.preview(p, mask, z, pass, std::uint64_t{}, std::uint64_t{}, panel);
  };
  static_assert(previews,
                "zeroth: the backend lacks preview(tensor, mask, noise, pass, first, count, panel) const (see "
                "zeroth/backend/backend.hpp)");
  constexpr bool has_bits = requires(B const& b, Parameter const& p, Mask const& mask, std::span<std::uint64_t> words) {
    b.mask_bits(p, mask, words);
  };
  static_assert(has_bits,
                "zeroth: the backend lacks mask_bits(tensor, mask, words) const (see zeroth/backend/backend.hpp)");
  constexpr bool ranks = requires(B const& b, std::span<Parameter const* const> tensors) {
    { b.kth_magnitude(tensors, std::uint64_t{}) } -> std::convertible_to<float>;
  };
  static_assert(ranks,
                "zeroth: the backend lacks float kth_magnitude(tensors, k) const (see zeroth/backend/backend.hpp)");
  constexpr bool reads = requires(B const& b, Parameter const& p, std::span<float> out) {
    b.read(p, std::uint64_t{}, out);
  };
  static_assert(reads, "zeroth: the backend lacks read(tensor, first, out) const (see zeroth/backend/backend.hpp)");
  constexpr bool copies = requires(B const& b, Parameter const& p, std::span<std::byte> out) {
    b.copy(p, out);
  };
  static_assert(copies, "zeroth: the backend lacks copy(tensor, out) const (see zeroth/backend/backend.hpp)");
  constexpr bool says_types = requires(B const& b) {
    { b.supports(DataType::f32) } -> std::convertible_to<bool>;
  };
  static_assert(says_types, "zeroth: the backend lacks bool supports(DataType) const (see zeroth/backend/backend.hpp)");
  static_assert(has_name<B>, "zeroth: the backend lacks its name: write static constexpr std::string_view name()");
  constexpr bool is_copyable = std::copyable<B>;
  static_assert(is_copyable, "zeroth: the backend must be copyable: a cheap value that owns no weights");
}

template <class U>
consteval void check_update() {
  constexpr bool is_elementwise = requires {
    U::state_floats;
  };
  if constexpr (is_elementwise) {
    constexpr bool counts = requires {
      requires U::state_floats <= max_state_floats;
    };
    static_assert(counts,
                  "zeroth: the update's values per weight are too many, or no constant: write static constexpr "
                  "std::size_t state_floats = N, N from 0 to 8");
    constexpr bool has_rule = requires(U const& update) {
      update.rule(float{}, std::uint64_t{});
    };
    static_assert(has_rule,
                  "zeroth: the update lacks its rule: write Rule rule(float step_size, std::uint64_t updates) const");
    if constexpr (counts && has_rule) {
      using Rule = decltype(std::declval<U const&>().rule(float{}, std::uint64_t{}));
      constexpr bool is_rule = ElementwiseRule<Rule, U::state_floats>;
      static_assert(is_rule,
                    "zeroth: the update's Rule must be default constructible, copyable and callable: write float "
                    "operator()(float theta, float direction, zeroth::Array<float, state_floats>& state) const, "
                    "without the state if state_floats is 0");
    }
  } else {
    constexpr bool has_coefficients = requires(U const& update, std::span<double const> g, std::span<float> c) {
      update.coefficients(g, double{}, c);
    };
    static_assert(has_coefficients,
                  "zeroth: the update lacks its coefficients: write void coefficients(std::span<double const> g, "
                  "double learning_rate, std::span<float> c) const, or state_floats and rule for one that goes weight "
                  "by weight");
  }
  constexpr bool decays = requires(U const& update) {
    { update.decay(double{}) } -> std::convertible_to<double>;
  };
  static_assert(decays, "zeroth: the update lacks its decay: write double decay(double learning_rate) const");
  constexpr bool is_checked = requires(U const& update) {
    update.check();
  };
  static_assert(is_checked,
                "zeroth: the update lacks its check: write void check() const, which throws if a setting is "
                "out of range");
  static_assert(has_name<U>, "zeroth: the update lacks its name: write static constexpr std::string_view name()");
  constexpr bool is_regular = std::regular<U>;
  static_assert(is_regular,
                "zeroth: the update must be default constructible, copyable and comparable: write bool operator==(X "
                "const&) const = default");
}

template <class E>
consteval void check_estimator() {
  constexpr bool has_signs = requires(E const& estimator) {
    { estimator.signs } -> std::convertible_to<std::span<std::int32_t const>>;
  };
  static_assert(
      has_signs,
      "zeroth: the estimator lacks its points: write static constexpr std::array<std::int32_t, N> signs, each "
      "+1 or -1");
  constexpr bool has_unit_signs = may_have_unit_signs<E>;
  static_assert(has_unit_signs, "zeroth: the estimator's signs must be one or more, each +1 or -1");
  constexpr bool says_base = requires(E const& estimator) {
    { estimator.uses_base } -> std::convertible_to<bool>;
  };
  static_assert(says_base,
                "zeroth: the estimator does not say whether it needs the loss at theta: write static constexpr bool "
                "uses_base");
  constexpr bool estimates = requires(E const& estimator, std::span<double const> losses) {
    { estimator.projected_gradient(double{}, losses, double{}) } -> std::convertible_to<double>;
  };
  static_assert(estimates,
                "zeroth: the estimator lacks its formula: write double projected_gradient(double base, "
                "std::span<double const> losses, double epsilon) const");
  static_assert(has_name<E>, "zeroth: the estimator lacks its name: write static constexpr std::string_view name()");
  constexpr bool is_regular = std::regular<E>;
  static_assert(is_regular,
                "zeroth: the estimator must be default constructible, copyable and comparable: write bool "
                "operator==(X const&) const = default");
}

/// Says in one sentence what the types of an optimizer lack.
template <class S, class M, class B, class U, class E>
[[nodiscard]] consteval bool check_policies() {
  constexpr bool in_order =
      (Sampler<S> || !has_a_place<S>)&&(MaskPolicy<M> || !has_a_place<M>)&&(Backend<B> || !has_a_place<B>)&&(
          Update<U> || ElementwiseUpdate<U> || !has_a_place<U>)&&(Estimator<E> || !has_a_place<E>);
  static_assert(in_order,
                "zeroth: the arguments are in another order than (parameters, sampler, mask, backend, update, "
                "estimator, options), or one is left out: the update and the estimator may be, from the end");
  if constexpr (in_order) {
    if constexpr (!Sampler<S>) check_sampler<S>();
    check_mask<M>();
    if constexpr (!Backend<B>) check_backend<B>();
    if constexpr (!Update<U> && !ElementwiseUpdate<U>) check_update<U>();
    if constexpr (!Estimator<E>) check_estimator<E>();
    if constexpr (UpdateWithWindow<U> && MaskPolicy<M>) {
      constexpr bool is_independent = !depends_on_weights<MaskRuleOf<MaskState<M>>>;
      static_assert(is_independent,
                    "zeroth: an update over the noise of the last updates needs a mask that does not depend on the "
                    "weights (see UpdateWithWindow in zeroth/update/update.hpp)");
    }
  }
  return true;
}

/// The same for an objective.
template <class Objective, class StepProbe>
[[nodiscard]] consteval bool check_objective() {
  constexpr bool is_objective = FusedObjective<Objective, StepProbe> || InPlaceObjective<Objective>;
  static_assert(is_objective,
                "zeroth: the objective must be callable as () -> double or (Evaluation const&) -> double, which read "
                "the weights in place, or as (probe const&, std::span<double> losses), which takes them from the "
                "probe (see zeroth/objective.hpp)");
  return is_objective;
}

}  // namespace zeroth::ZEROTH_ISA::detail
