// SPDX-License-Identifier: MIT
// expect: zeroth: the backend lacks float kth_magnitude(tensors, k) const
// Backend, requirement 6: it knows order statistics.
#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss : zeroth::ReferenceBackend {
#ifndef ZEROTH_FIXED
  void kth_magnitude() const {}
#endif
};

using Optimizer = zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, NearMiss>;
static_assert(sizeof(Optimizer) != 0);
