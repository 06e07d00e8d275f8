// SPDX-License-Identifier: MIT
// expect: zeroth: the arguments are in another order than (parameters, sampler, mask, backend
// Weights are named in a ParameterSet.
#include <vector>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

void tune([[maybe_unused]] zeroth::ParameterSet const& parameters, [[maybe_unused]] std::vector<float> const& weights) {
#ifdef ZEROTH_FIXED
  zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Gaussian{}, zeroth::Dense{}, zeroth::ReferenceBackend{});
#else
  zeroth::ZerothOrderOptimizer optimizer(weights, zeroth::Gaussian{}, zeroth::Dense{}, zeroth::ReferenceBackend{});
#endif
}
