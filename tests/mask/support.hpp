// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/mask.hpp>

#include "tensors.hpp"

namespace zeroth_test {

/// The mask of a tensor as text, one character per weight: "1" active, "0" not.
template <class State>
std::string active(State const& state, zeroth::ParameterSet const& parameters, std::size_t index,
                   std::uint32_t step = 0) {
  auto const mask = state.tensor(index, step);
  zeroth::Parameter const& p = parameters[index];
  std::string text;
  for (std::uint64_t i = 0; i < p.size(); ++i)
    text += mask(static_cast<float const*>(p.data)[i], p.offset + i) ? '1' : '0';
  return text;
}

/// The state of a policy, prepared by the reference backend.
template <class Policy>
auto prepare(Policy const& policy, zeroth::ParameterSet const& parameters) {
  zeroth::ReferenceBackend const backend;
  return zeroth::prepare_mask(policy, parameters, zeroth::WeightReader(backend));
}

/// Lets a state refresh itself at the start of a step.
template <class State>
void begin_step(State& state, zeroth::ParameterSet const& parameters, std::uint32_t step) {
  zeroth::ReferenceBackend const backend;
  zeroth::begin_mask_step(state, parameters, zeroth::WeightReader(backend), step);
}

}  // namespace zeroth_test
