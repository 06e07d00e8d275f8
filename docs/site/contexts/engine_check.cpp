// SPDX-License-Identifier: MIT
#include <cstdio>
#include <string>

#include <zeroth/check_engine.hpp>

struct Batch {};

struct Engine {
  Batch batch(std::uint64_t step, std::uint32_t micro_batch) const;
  double loss(Batch const& batch) const;
};

void context(Engine const& engine, zeroth::ParameterSet const& parameters) {
  // @block
}
