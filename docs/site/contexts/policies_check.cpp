// SPDX-License-Identifier: MIT
#include <cstdio>

#include <zeroth/check_policies.hpp>
#include "examples/own_policies.hpp"
#define main main_of_custom_update
#include "examples/custom_update.cpp"
#undef main

void context(zeroth::ParameterSet const& parameters, Wanda const& mask) {
  // @block
}
