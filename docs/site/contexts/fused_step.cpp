// SPDX-License-Identifier: MIT
#include <span>

#include <zeroth/zeroth.hpp>

void context(zeroth::ParameterSet const& parameters) {
  zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Gaussian{}, zeroth::Dense{}, zeroth::CpuBackend{});
  // @block
}
