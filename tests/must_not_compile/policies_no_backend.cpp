// SPDX-License-Identifier: MIT
// expect: zeroth: the arguments are in another order than (parameters, sampler, mask, backend
// The backend is no argument to leave out.
#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

void tune(zeroth::ParameterSet const& parameters) {
#ifdef ZEROTH_FIXED
  zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Gaussian{}, zeroth::Dense{}, zeroth::ReferenceBackend{},
                                         {.seed = 1});
#else
  zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Gaussian{}, zeroth::Dense{}, {.seed = 1});
#endif
}
