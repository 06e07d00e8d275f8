// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <zeroth/describe.hpp>
#include <zeroth/error.hpp>
#include <zeroth/mask/layer.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/numeric/rounded.hpp>

namespace zeroth::ZEROTH_ISA {

/// The tensors over which a share of weights is counted: each tensor by itself (the paper), those of a layer, or all.
enum class Scope : std::uint8_t { tensor, layer, global };

[[nodiscard]] constexpr std::string_view to_string(Scope scope) noexcept {
  return scope == Scope::tensor ? "tensor" : scope == Scope::layer ? "layer" : "global";
}

/// Selects weights up to, or from, a magnitude. Magnitudes are compared by their bits: NaN is never small.
template <bool smallest>
struct MagnitudeRule {
  static constexpr bool depends_on_weights = true;
  static constexpr bool picks_smallest = smallest;

  std::uint32_t threshold_bits = 0;  ///< bits of the threshold h >= 0; weights equal to it are active

  [[nodiscard]] ZEROTH_HOST_DEVICE bool operator()(float theta, std::uint64_t /*element*/) const noexcept {
    return smallest ? magnitude_bits(theta) <= threshold_bits : magnitude_bits(theta) >= threshold_bits;
  }
};

/// Active: the share (1 - sparsity) of weights whose magnitude is smallest (`SmallestMagnitude`, the paper's mask) or
/// largest (`LargestMagnitude`, its opposite, for ablation).
///
/// Thresholds are exact order statistics: of the n weights in scope, the k = ceil((1 - sparsity) n) smallest (largest)
/// are active, as is every weight with the magnitude of the k-th. Thresholds are fixed before training (refresh_every =
/// 0, the paper), or recomputed from the current weights every `refresh_every` steps. Each step computes the mask from
/// the unperturbed weights, so a weight that grows past the threshold drops out.
///
/// Norm weights and biases (Role::vector) have no threshold: they are tuned densely, or not at all. A tensor whose
/// weights are all 0, such as LoRA's B before the first step, has none either: it has no magnitudes to compare, is
/// tuned densely and does not count in a wider scope. (At a threshold of 0 every weight would be active until its first
/// update made it larger, and the tensor would stand still after one step.) A refresh checks again. A NaN counts as the
/// largest magnitude.
template <bool smallest>
struct MagnitudeMask {
  double sparsity = 0.75;  ///< share of weights left out, in [0, 1)
  Scope scope = Scope::tensor;
  Coverage vectors = Coverage::all;  ///< all or none
  std::uint32_t refresh_every = 0;   ///< steps between recomputed thresholds; 0: never recompute

  using Rule = MagnitudeRule<smallest>;

  class State {
   public:
    State(MagnitudeMask policy, ParameterSet const& parameters, WeightReader const& weights) : policy_(policy) {
      for (Parameter const& p : parameters)
        masks_.push_back({p.role == Role::vector ? policy.vectors : Coverage::some, {}});
      update_thresholds(parameters, weights);
    }

    [[nodiscard]] TensorMask<Rule> tensor(std::size_t index, std::uint32_t /*step*/) const noexcept {
      return masks_[index];
    }

    void begin_step(ParameterSet const& parameters, WeightReader const& weights, std::uint32_t step) {
      if (policy_.refresh_every != 0 && step != 0 && step % policy_.refresh_every == 0)
        update_thresholds(parameters, weights);
    }

    [[nodiscard]] bool is_fixed() const noexcept { return policy_.refresh_every == 0; }

    /// The threshold h of a tensor; meaningless unless its coverage is `some`.
    [[nodiscard]] float threshold(std::size_t index) const noexcept {
      return float_of(masks_[index].rule.threshold_bits);
    }

   private:
    void update_thresholds(ParameterSet const& parameters, WeightReader const& weights) {
      std::vector<std::string> groups(parameters.size());
      for (std::size_t i = 0; i < parameters.size(); ++i)
        groups[i] = policy_.scope == Scope::tensor  ? parameters[i].name
                    : policy_.scope == Scope::layer ? layer_of(parameters[i].name)
                                                    : std::string();
      std::vector<bool> done(parameters.size(), false);
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        done[i] = parameters[i].role == Role::vector;
        if (!done[i] && is_zero(parameters[i], weights)) {
          masks_[i].coverage = Coverage::all;
          done[i] = true;
        }
      }
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (done[i]) continue;
        std::vector<std::size_t> members;
        for (std::size_t j = i; j < parameters.size(); ++j)
          if (!done[j] && groups[j] == groups[i]) members.push_back(j);
        std::uint32_t const bits = threshold_of(members, parameters, weights);
        for (std::size_t j : members) {
          masks_[j] = {Coverage::some, {bits}};
          done[j] = true;
        }
      }
    }

    /// Whether all weights of a tensor are 0.
    [[nodiscard]] static bool is_zero(Parameter const& tensor, WeightReader const& weights) {
      float first = 0;
      weights.read(tensor, 0, {&first, 1});
      if (first != 0) return false;  // as in nearly all tensors: saves a pass
      Parameter const* const only = &tensor;
      return weights.kth_magnitude({&only, 1}, tensor.size()) == 0;
    }

    [[nodiscard]] std::uint32_t threshold_of(std::vector<std::size_t> const& members, ParameterSet const& parameters,
                                             WeightReader const& weights) const {
      std::vector<Parameter const*> tensors;
      std::uint64_t n = 0;
      for (std::size_t i : members) {
        tensors.push_back(&parameters[i]);
        n += parameters[i].size();
      }
      // (1 - 0.7) 10 is slightly above 3 in double and must not become 4: remove the rounding error.
      auto const size = static_cast<double>(n);
      double const share = rounded_product(1.0 - policy_.sparsity, size);
      auto const active = static_cast<std::uint64_t>(std::ceil(rounded_difference(share, size * 0x1p-51)));
      std::uint64_t const k = std::clamp<std::uint64_t>(active, 1, n);
      return magnitude_bits(weights.kth_magnitude(tensors, smallest ? k : n - k + 1));
    }

    MagnitudeMask policy_;
    std::vector<TensorMask<Rule>> masks_;
  };

  /// @throws InvalidArgument if sparsity is outside [0, 1), `scope` is not one of Scope's or `vectors` is neither all
  ///   nor none
  [[nodiscard]] State prepare(ParameterSet const& parameters, WeightReader const& weights) const {
    if (!(sparsity >= 0 && sparsity < 1))
      throw InvalidArgument("sparsity must be in [0, 1), got " + number_text(sparsity));
    detail::require_choice(scope, 3, "scope");
    detail::require_choice(vectors, coverages, "vectors");
    if (vectors == Coverage::some)
      throw InvalidArgument("vectors must be Coverage::all or Coverage::none: the paper thresholds only matrices");
    return State(*this, parameters, weights);
  }

  [[nodiscard]] static constexpr std::string_view name() noexcept {
    return smallest ? "smallest-magnitude" : "largest-magnitude";
  }
  [[nodiscard]] std::string description() const {
    return described(name(), {{"sparsity", number_text(sparsity)},
                              {"scope", std::string(to_string(scope))},
                              {"vectors", std::string(to_string(vectors))},
                              {"refresh_every", number_text(refresh_every)}});
  }
  bool operator==(MagnitudeMask const&) const = default;
};

/// The Sparse MeZO mask (arXiv 2402.15751, section 3): perturb and update only the small weights.
using SmallestMagnitude = MagnitudeMask<true>;

/// Only the large weights: the ablation to which the paper traces the noise of MeZO.
using LargestMagnitude = MagnitudeMask<false>;

}  // namespace zeroth::ZEROTH_ISA
