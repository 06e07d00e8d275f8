// SPDX-License-Identifier: MIT
// expect: the objective must be callable as () -> double
// FusedObjective, requirement 1: the losses are doubles.
#include <span>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

using Optimizer = zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, zeroth::ReferenceBackend>;

void step(Optimizer& optimizer) {
#ifdef ZEROTH_FIXED
  optimizer.step([](auto const&, std::span<double>) {});
#else
  optimizer.step([](auto const&, std::span<float>) {});
#endif
}
