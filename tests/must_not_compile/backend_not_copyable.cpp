// SPDX-License-Identifier: MIT
// expect: the third policy is no Backend
// Backend: a cheap value, which is copyable.
#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss : zeroth::ReferenceBackend {
#ifndef ZEROTH_FIXED
  NearMiss() = default;
  NearMiss(NearMiss const&) = delete;
  NearMiss(NearMiss&&) = default;
#endif
};

template class zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, NearMiss>;
