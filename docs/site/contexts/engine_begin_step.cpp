// SPDX-License-Identifier: MIT
#include <cstdio>
#include <span>

#include <zeroth/zeroth.hpp>

struct Batch {};

struct Engine {
  Batch batch(std::uint64_t step, std::uint32_t micro_batch) const;
  double loss(Batch const& batch) const;
};

void context(Engine const& engine, zeroth::ParameterSet const& parameters) {
  zeroth::ZerothOrderOptimizer optimizer(parameters, zeroth::Gaussian{}, zeroth::Dense{}, zeroth::CpuBackend{});
  // @block
}
