// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <zeroth/error.hpp>
#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/numeric/number_text.hpp>
#include <zeroth/options.hpp>
#include <zeroth/random/philox.hpp>
#include <zeroth/step_record.hpp>

namespace zeroth::ZEROTH_ISA::detail {

/// @throws InvalidArgument if no run has a step of that number
inline void require_step_number(std::uint64_t step) {
  if (step >= max_steps)
    throw InvalidArgument("step must be below 2^32, the steps of a run, where the noise would repeat, got " +
                          std::to_string(step));
}

/// Checks that a record can be the next step of a run.
/// @param step number of the next step
/// @param abandoned attempts at it so far that perturbed the weights
/// @param weights number of all weights
/// @throws InvalidArgument naming the first field that is impossible
inline void check_record(StepRecord const& record, std::uint64_t step, std::uint32_t abandoned, Options const& options,
                         std::uint64_t weights) {
  std::string const replay = "replay of step " + std::to_string(record.step) + ": ";
  auto refuse = [&](char const* what, auto const& expected, auto const& found) {
    throw InvalidArgument(replay + "expected " + what + " " + std::string(expected) + ", found " + std::string(found));
  };
  if (record.step != step) refuse("step", std::to_string(step), std::to_string(record.step));
  require_step_number(record.step);
  require_choice(record.arithmetic, arithmetics, replay + "arithmetic");
  require_choice(record.skip_reason, skip_reasons, replay + "skip_reason");
  if (record.abandoned > max_abandoned)
    refuse("abandoned at most", std::to_string(max_abandoned), std::to_string(record.abandoned));
  if (record.abandoned < abandoned)
    refuse("abandoned at least", std::to_string(abandoned), std::to_string(record.abandoned));
  std::size_t const coefficients = record.skipped() ? 0 : options.samples;
  if (record.coefficients.size() != coefficients)
    refuse("coefficients", std::to_string(coefficients), std::to_string(record.coefficients.size()));
  auto require_finite = [&](char const* name, float value) {
    if (!is_finite(value)) refuse(name, "finite", number_text(value));
  };
  require_finite("decay", record.decay);
  require_finite("step_size", record.step_size);
  for (float coefficient : record.coefficients) require_finite("coefficient", coefficient);
  std::uint64_t const most = record.skipped() ? 0 : weights;
  if (record.active_weights > most)
    refuse("active_weights at most", std::to_string(most), std::to_string(record.active_weights));
}

/// @throws Error if a replayed step found another number of active weights than the run did
inline void check_active_weights(StepRecord const& record, std::uint64_t active) {
  if (active != record.active_weights)
    throw Error("replay of step " + std::to_string(record.step) + ": expected " +
                std::to_string(record.active_weights) + " active weights, as in the run, found " +
                std::to_string(active) + ": the weights are not those that the run had here");
}

}  // namespace zeroth::ZEROTH_ISA::detail
