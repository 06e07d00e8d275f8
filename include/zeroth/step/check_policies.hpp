// SPDX-License-Identifier: MIT
#pragma once

#include <zeroth/backend/backend.hpp>
#include <zeroth/estimator/estimator.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/objective.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/update/update.hpp>

namespace zeroth::ZEROTH_ISA::detail {

/// Reports in one sentence which requirement a policy of an optimizer misses.
template <class S, class M, class B, class U, class E>
[[nodiscard]] consteval bool check_policies() {
  static_assert(Sampler<S>,
                "zeroth: the first policy is not a Sampler: it needs operator()(RandomBlock) const that returns a "
                "std::array of 1, 2, 4, ... or 128 floats, name(), and == (see zeroth/sampler/sampler.hpp)");
  static_assert(MaskPolicy<M>,
                "zeroth: the second policy is not a MaskPolicy: it needs name(), ==, and either bool operator()(float "
                "theta, std::uint64_t element) const or prepare(ParameterSet const&, WeightReader const&) const (see "
                "zeroth/mask/mask.hpp)");
  static_assert(Backend<B>,
                "zeroth: the third policy is not a Backend: it needs expand, apply, apply_rule, preview, mask_bits, "
                "kth_magnitude, read, copy, supports and name (see zeroth/backend/backend.hpp)");
  static_assert(
      Update<U> || ElementwiseUpdate<U>,
      "zeroth: the fourth policy is not an Update: it needs coefficients, decay, check, name and ==, or, weight "
      "by weight, state_floats, rule, decay, check, name and == (see zeroth/update/update.hpp)");
  static_assert(
      Estimator<E>,
      "zeroth: the fifth policy is not an Estimator: it needs signs, uses_base, projected_gradient, name and == "
      "(see zeroth/estimator/estimator.hpp)");
  if constexpr (UpdateWithWindow<U> && MaskPolicy<M>)
    static_assert(
        !depends_on_weights<MaskRuleOf<MaskState<M>>>,
        "zeroth: an update over the noise of the last updates needs a mask that does not depend on the weights "
        "(see UpdateWithWindow in zeroth/update/update.hpp)");
  return true;
}

/// The same for an objective.
template <class Objective, class StepProbe>
[[nodiscard]] consteval bool check_objective() {
  static_assert(FusedObjective<Objective, StepProbe> || InPlaceObjective<Objective>,
                "zeroth: the objective must be callable as () -> double or (Evaluation const&) -> double, which read "
                "the weights in place, or as (probe const&, std::span<double> losses), which takes them from the "
                "probe (see zeroth/objective.hpp)");
  return true;
}

}  // namespace zeroth::ZEROTH_ISA::detail
