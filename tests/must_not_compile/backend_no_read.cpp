// SPDX-License-Identifier: MIT
// expect: the third policy is no Backend
// Backend, requirement 7: it copies weights to the host.
#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss : zeroth::ReferenceBackend {
#ifndef ZEROTH_FIXED
  void read() = delete;
#endif
};

template class zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, NearMiss>;
