// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include <zeroth/backend/backend.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth_model/weights/decoder_weights.hpp>

namespace zeroth::ZEROTH_ISA::model {

/// Replaces zero weights with untrained ones: matrices normal with a standard deviation of 0.02, gains 1, biases 0. For
/// measurements: the cost of a step does not depend on the values of the weights.
///
/// The backend's own pass generates them in place, with the same bits on every backend.
/// @param backend of the memory that they lie in
template <Backend B>
void fill_random(DecoderWeights& weights, B const& backend, std::uint64_t seed) {
  constexpr float deviation = 0.02F;
  // A step that no run reaches, so that no perturbation is a multiple of the weights.
  NoiseField<Gaussian> const noise{{}, seed, std::numeric_limits<std::uint32_t>::max()};
  NoiseTerm const term{noise.step, 0, deviation};
  ParameterSet const& parameters = weights.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    Parameter const& p = parameters[i];
    if (p.role != Role::vector)
      backend.apply(p, nullptr, TensorMask<Dense::Rule>{Coverage::all, {}}, noise,
                    ElementwisePass{.terms = {&term, 1}});
    else if (!std::string_view(p.name).ends_with(".bias"))
      weights.write(i, 0, std::vector<float>(static_cast<std::size_t>(p.size()), 1.0F - weights.config().gain_offset));
  }
}

}  // namespace zeroth::ZEROTH_ISA::model
