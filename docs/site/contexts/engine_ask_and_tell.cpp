// SPDX-License-Identifier: MIT
#include <cstdio>
#include <optional>

#include <zeroth/zeroth.hpp>

struct Engine {
  double loss(zeroth::AnyProbe const& probe) const;
};

void context(Engine const& engine, zeroth::ParameterSet const& parameters) {
  zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Gaussian{}, zeroth::Dense{}, zeroth::CpuBackend{});
  // @block
}
