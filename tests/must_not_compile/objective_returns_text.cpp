// SPDX-License-Identifier: MIT
// expect: the objective must be callable as () -> double
// InPlaceObjective, requirement 2: the loss is a number.
#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

using Optimizer = zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, zeroth::ReferenceBackend>;

void step(Optimizer& optimizer) {
#ifdef ZEROTH_FIXED
  optimizer.step([] { return 1.0F; });
#else
  optimizer.step([] { return "1.0"; });
#endif
}
