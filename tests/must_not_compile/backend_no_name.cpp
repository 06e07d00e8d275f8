// SPDX-License-Identifier: MIT
// expect: zeroth: the backend lacks its name: write static constexpr std::string_view name()
// Backend, requirement 9: it has a name.
#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

struct NearMiss : zeroth::ReferenceBackend {
#ifndef ZEROTH_FIXED
  void name() = delete;
#endif
};

template class zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, NearMiss>;
