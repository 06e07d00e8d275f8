// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>

#include <zeroth/backend/corrections.hpp>
#include <zeroth/sampler/sampler.hpp>
#include <zeroth/storage/remainder.hpp>
#include <zeroth/storage/rounding.hpp>

namespace zeroth::ZEROTH_ISA {

/// What one pass over a tensor does to each active weight t, in f32 and in this order:
///
///     t <- t with its remainder       for 16-bit weights, see Rounding
///     t <- fma(c, z, t)               for each term c z of `restore`, which undoes a perturbation
///     t <- fma(-decay, t, t)          if decay is not 0
///     t <- fma(c, z, t)               for each term of `terms`: Backend::apply
///     t <- rule(t, sum c z, state)    with the same terms, chained by fma from 0: Backend::apply_rule
///     t is rounded                    if the tensor is stored in 16 bits; its remainder is replaced
///
/// Inactive weights keep their bits, and so do their remainders.
struct ElementwisePass {
  std::span<NoiseTerm const> restore{};  ///< at most max_terms
  float decay = 0;
  std::span<NoiseTerm const> terms{};        ///< at most max_terms
  Rounding rounding = Rounding::nearest;     ///< of 16-bit weights; its random bits use the noise's seed and step
  Remainders remainders{};                   ///< of the tensor's weights; initially 0
  Corrections const* corrections = nullptr;  ///< of the tensor's weights, which are perturbed; null: they are not
};

/// The most terms of a pass; a longer sum takes several passes.
inline constexpr std::size_t max_terms = max_samples;

}  // namespace zeroth::ZEROTH_ISA
