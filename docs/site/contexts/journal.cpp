// SPDX-License-Identifier: MIT
#include <zeroth/zeroth.hpp>

void context(zeroth::ParameterSet const& parameters, double (*loss)()) {
  zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Gaussian{}, zeroth::Dense{}, zeroth::CpuBackend{});
  // @block
}
