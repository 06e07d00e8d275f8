// SPDX-License-Identifier: MIT
#include <zeroth/zeroth.hpp>

void context(zeroth::ParameterSet const& parameters) {
  // @block
}
