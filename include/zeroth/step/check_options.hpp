// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include <zeroth/backend/backend.hpp>
#include <zeroth/backend/known_answer.hpp>
#include <zeroth/error.hpp>
#include <zeroth/options.hpp>
#include <zeroth/parameters.hpp>
#include <zeroth/step/mirrors.hpp>
#include <zeroth/step_record.hpp>
#include <zeroth/storage/data_type.hpp>
#include <zeroth/update/update.hpp>

// Checks options, parameters and policies against each other; InvalidArgument names what does not fit.

namespace zeroth::ZEROTH_ISA::detail {

template <Backend B>
[[nodiscard]] ParameterSet checked(ParameterSet parameters, B const& backend) {
  if (parameters.empty()) throw InvalidArgument("the optimizer has no parameters to tune");
  check_arithmetic(backend);
  for (Parameter const& p : parameters)
    if (!backend.supports(p.dtype))
      throw InvalidArgument("parameter '" + p.name + "': backend '" + std::string(backend.name()) +
                            "' does not support " + std::string(to_string(p.dtype)));
  for (Parameter const& p : parameters) check_mirrors(p, backend);
  return parameters;
}

template <class U>
[[nodiscard]] Options checked(Options options, U const& update) {
  options.check();
  update.check();
  if (options.acceptance == Acceptance::lowest_of_three && (ElementwiseUpdate<U> || UpdateWithWindow<U>))
    throw InvalidArgument("acceptance must be Acceptance::always for update '" + std::string(update.name()) +
                          "': what it would leave cannot be evaluated before it is written; use Sgd");
  return options;
}

/// @param mask_is_fixed see is_fixed_mask
template <UpdateWithWindow U>
void check_window(U const& update, ParameterSet const& parameters, bool mask_is_fixed) {
  std::string const what = "update '" + std::string(update.name()) + "' needs ";
  if (!mask_is_fixed) throw InvalidArgument(what + "a mask that stays the same from step to step");
  for (Parameter const& p : parameters)
    if (p.dtype != DataType::f32)
      throw InvalidArgument(what + "f32 weights, parameter '" + p.name + "' is " + std::string(to_string(p.dtype)));
}

/// Whether a step can be taken in place.
inline void check_in_place(Restore restore, Acceptance acceptance, ParameterSet const& parameters) {
  if (restore == Restore::exact) return;
  for (Parameter const& p : parameters)
    if (p.dtype != DataType::f32)
      throw InvalidArgument("parameter '" + p.name + "': in place, weights of " + std::string(to_string(p.dtype)) +
                            " need Restore::exact: adding and subtracting the perturbation changes the weights");
  if (acceptance == Acceptance::lowest_of_three)
    throw InvalidArgument(
        "in place, Acceptance::lowest_of_three needs Restore::exact: otherwise theta could not be restored to the bits "
        "that were evaluated");
}

/// Checks that a step may be attempted once more.
/// @param abandoned attempts at it that ended with an exception and left other bits
/// @throws Error if there were as many as a record allows
inline void check_abandoned(Arithmetic arithmetic, std::uint64_t step, std::uint32_t abandoned) {
  if (arithmetic == Arithmetic::in_place && abandoned >= max_abandoned)
    throw Error(
        "step " + std::to_string(step) + ": its objective has thrown " + std::to_string(abandoned) +
        " times, the most that a journal can record: each time Restore::arithmetic restored the weights with other "
        "bits; use Restore::exact or a fused objective");
}

}  // namespace zeroth::ZEROTH_ISA::detail
