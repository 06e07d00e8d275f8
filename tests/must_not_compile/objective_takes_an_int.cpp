// SPDX-License-Identifier: MIT
// expect: zeroth: the objective must be callable as () -> double
// InPlaceObjective, requirement 1: its parameter, if any, is an Evaluation.
#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

using Optimizer = zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, zeroth::ReferenceBackend>;

void step(Optimizer& optimizer) {
#ifdef ZEROTH_FIXED
  optimizer.step([](zeroth::Evaluation const&) { return 1.0; });
#else
  optimizer.step([](int) { return 1.0; });
#endif
}
