// SPDX-License-Identifier: MIT
// expect: zeroth: an update over the noise of the last updates needs a mask that does not depend on the weights
// A past update touched other weights than this mask would select now.
#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth/update/window_momentum.hpp>

#ifdef ZEROTH_FIXED
using Mask = zeroth::Dense;
#else
using Mask = zeroth::SmallestMagnitude;
#endif

template class zeroth::ZerothOrderOptimizer<zeroth::Gaussian, Mask, zeroth::ReferenceBackend, zeroth::WindowMomentum>;
