// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include <zeroth/config.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/random/tile.hpp>
#include <zeroth/storage/memory.hpp>

namespace zeroth::ZEROTH_ISA {

/// The active weights of one tile: bit e of the pair is element e.
struct TileMask {
  std::uint64_t word[2] = {0, 0};

  [[nodiscard]] constexpr bool test(unsigned element) const noexcept {
    return (word[element / 64] >> (element % 64) & 1U) != 0;
  }
  [[nodiscard]] constexpr TileMask operator&(TileMask const& other) const noexcept {
    return {{word[0] & other.word[0], word[1] & other.word[1]}};
  }
  [[nodiscard]] constexpr TileMask operator|(TileMask const& other) const noexcept {
    return {{word[0] | other.word[0], word[1] | other.word[1]}};
  }
  bool operator==(TileMask const&) const = default;
};

/// Which weights of a tensor are active: none (the tensor is not tuned), all (dense), or those that a rule selects.
enum class Coverage : std::uint8_t { none, some, all };
inline constexpr std::uint8_t coverages = 3;  ///< number of values

[[nodiscard]] constexpr std::string_view to_string(Coverage coverage) noexcept {
  return coverage == Coverage::none ? "none" : coverage == Coverage::some ? "some" : "all";
}

/// Decides whether one weight is active. Kernels receive it by value, so it is small and cheap to copy.
///
/// 1. `rule(theta, element)` is pure; `theta` is the unperturbed weight, `element` its index in the whole tensor.
/// 2. `static constexpr bool depends_on_weights`, if present and false, promises that `theta` is ignored; the in-place
///    form then needs no stored mask. Absent means true.
/// 3. `rule` may be called for any element of a tile that a slice touches, even outside the slice or beyond the
/// tensor's
///    end; results there are ignored. A mask that looks at its neighbours is a TileRule instead.
/// 4. A rule for device code is marked ZEROTH_HOST_DEVICE and trivially copyable.
template <class T>
concept MaskRule = std::semiregular<T> && requires(T const& rule, float theta, std::uint64_t element) {
  { rule(theta, element) } -> std::same_as<bool>;
};

template <class Rule>
inline constexpr bool depends_on_weights = true;
template <class Rule>
requires requires {
  Rule::depends_on_weights;
}
inline constexpr bool depends_on_weights<Rule> = Rule::depends_on_weights;

/// The mask of one tensor at one step.
template <class Rule>
struct TensorMask {
  Coverage coverage = Coverage::some;
  Rule rule{};

  ZEROTH_CALLS_USERS_CODE
  [[nodiscard]] ZEROTH_HOST_DEVICE bool operator()(float theta, std::uint64_t element) const {
    return coverage == Coverage::all || (coverage == Coverage::some && rule(theta, element));
  }
};

/// Lets a mask policy read the weights, wherever they live. A type-erased, non-owning reference.
class WeightReader {
 public:
  /// @param backend any Backend; must outlive this object
  template <class Backend>
  explicit WeightReader(Backend const& backend)
      : backend_(std::addressof(backend)),
        kth_magnitude_([](void const* self, std::span<Parameter const* const> tensors, std::uint64_t k) {
          return static_cast<Backend const*>(self)->kth_magnitude(tensors, k);
        }),
        read_([](void const* self, Parameter const& tensor, std::uint64_t first, std::span<float> out) {
          static_cast<Backend const*>(self)->read(tensor, first, out);
        }),
        keep_([](void const* self, std::span<std::byte const> values) {
          auto const& owner = *static_cast<Backend const*>(self);
          return BackendBuffer(owner, values);
        }) {}

  /// The exact k-th smallest |theta| (k counts from 1) over all of those tensors together.
  [[nodiscard]] float kth_magnitude(std::span<Parameter const* const> tensors, std::uint64_t k) const {
    return kth_magnitude_(backend_, tensors, k);
  }

  /// Copies weights [first, first + out.size()) of a tensor as f32; `first` counts from its memory's first element.
  void read(Parameter const& tensor, std::uint64_t first, std::span<float> out) const {
    read_(backend_, tensor, first, out);
  }

  /// Copies what a rule reads, such as a bitmap, to memory that the backend's passes can access.
  [[nodiscard]] BackendBuffer keep(std::span<std::byte const> values) const { return keep_(backend_, values); }

 private:
  void const* backend_;
  float (*kth_magnitude_)(void const*, std::span<Parameter const* const>, std::uint64_t);
  void (*read_)(void const*, Parameter const&, std::uint64_t, std::span<float>);
  BackendBuffer (*keep_)(void const*, std::span<std::byte const>);
};

namespace detail {

/// The state of a policy that is itself a rule: the same rule for every tensor, matrix or vector.
template <class Rule>
struct LiftedRule {
  Rule rule;
  [[nodiscard]] TensorMask<Rule> tensor(std::size_t /*index*/, std::uint32_t /*step*/) const {
    return {Coverage::some, rule};
  }
  [[nodiscard]] static constexpr bool is_fixed() noexcept { return true; }
};

}  // namespace detail

/// Makes the state that a policy needs for those parameters; wraps a policy that is itself a rule.
/// @throws InvalidArgument where the policy's `prepare` does
template <class Policy>
[[nodiscard]] auto prepare_mask(Policy const& policy, ParameterSet const& parameters, WeightReader const& weights) {
  if constexpr (requires { policy.prepare(parameters, weights); })
    return policy.prepare(parameters, weights);
  else
    return detail::LiftedRule<Policy>{policy};
}

/// Recomputes what a state recomputes at the start of a step, from unperturbed weights. Most states recompute nothing.
template <class State>
void begin_mask_step(State& state, ParameterSet const& parameters, WeightReader const& weights, std::uint32_t step) {
  if constexpr (requires { state.begin_step(parameters, weights, step); }) state.begin_step(parameters, weights, step);
}

/// Whether a state says that its tensor masks are the same at every step. A weight that such a mask leaves out is never
/// updated, so it stays left out. Without `is_fixed()`, masks may change.
template <class State>
[[nodiscard]] bool is_fixed_mask(State const& state) {
  if constexpr (requires { state.is_fixed(); })
    return state.is_fixed();
  else
    return false;
}

template <class Policy>
using MaskState = decltype(prepare_mask(std::declval<Policy const&>(), std::declval<ParameterSet const&>(),
                                        std::declval<WeightReader const&>()));
template <class State>
using MaskRuleOf = decltype(std::declval<State const&>().tensor(std::size_t{}, std::uint32_t{}).rule);

/// Which weights are perturbed and updated. The mask is a pure function of (prepared state, the weight at the start of
/// the step, the weight's index).
///
/// 1. A regular value type: default constructible, copyable, comparable.
/// 2. `name()` identifies the policy in logs and journals; a policy with settings also has `description()`, see
///    describe.
/// 3. Either the policy is itself a MaskRule, which then applies to every tensor, or
///    `policy.prepare(ParameterSet const&, WeightReader const&)` returns a state, made once before the first step.
/// 4. `state.tensor(index, step)` returns the TensorMask<Rule> of that tensor at that step; Rule satisfies MaskRule. It
///    may depend on the tensor's name, role, shape and weights, but not on its index: a journal finds tensors by name.
/// 5. `state.begin_step(parameters, weights, step)` is optional and called at the start of each step, before any
///    perturbation; a policy that refreshes its thresholds does so there. If the attempt ends with an exception, even
///    its own, it is called again for the same step and must then arrive at the same state.
/// 6. `state.is_fixed()`, if present and true, promises that 4 does not depend on the step and 5 changes nothing.
///
/// The smallest type that satisfies it, a policy that keeps the zeros of a pruned model:
///
///     struct KeepZeros {
///       bool operator()(float theta, std::uint64_t) const { return theta != 0; }
///       static constexpr std::string_view name() { return "keep-zeros"; }
///       bool operator==(KeepZeros const&) const = default;
///     };
template <class T>
concept MaskPolicy = std::regular<T> && requires(T const& policy) {
  { policy.name() } -> std::convertible_to<std::string_view>;
} &&(MaskRule<T> || requires(T const& policy, ParameterSet const& parameters, WeightReader const& weights) {
  requires MaskRule<MaskRuleOf<decltype(policy.prepare(parameters, weights))>>;
});

}  // namespace zeroth::ZEROTH_ISA
