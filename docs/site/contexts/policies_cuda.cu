// SPDX-License-Identifier: MIT
#include <zeroth/backend/cuda.hpp>
#include "examples/own_policies.hpp"
#define main main_of_custom_update
#include "examples/custom_update.cpp"
#undef main

void context(zeroth::ParameterSet const& parameters, Wanda const& wanda, double (*loss)()) {
  // @block
  optimizer.step(loss);
}
