// SPDX-License-Identifier: MIT
// expect: zeroth: the arguments are in another order than (parameters, sampler, mask, backend
// A mask goes after the sampler.
#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

#ifdef ZEROTH_FIXED
using Optimizer = zeroth::ZerothOrderOptimizer<zeroth::Gaussian, zeroth::Dense, zeroth::ReferenceBackend>;
#else
using Optimizer = zeroth::ZerothOrderOptimizer<zeroth::Dense, zeroth::Gaussian, zeroth::ReferenceBackend>;
#endif
static_assert(sizeof(Optimizer) != 0);
