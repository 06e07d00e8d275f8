// SPDX-License-Identifier: MIT
// expect: the objective must be callable as () -> double
// FusedObjective, requirement 1: it is given a place for the losses.
#include <span>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

using Optimizer = zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, zeroth::ReferenceBackend>;

void step(Optimizer& optimizer) {
#ifdef ZEROTH_FIXED
  optimizer.step([](zeroth::AnyProbe const&, std::span<double>) {});
#else
  optimizer.step([](zeroth::AnyProbe const&) {});
#endif
}
