// SPDX-License-Identifier: MIT
// expect: the third policy is no Backend
// Backend, requirement 4: it updates weights that have state.
#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss : zeroth::ReferenceBackend {
#ifndef ZEROTH_FIXED
  void advance() = delete;
#endif
};

template class zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, NearMiss>;
