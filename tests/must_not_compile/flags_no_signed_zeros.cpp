// SPDX-License-Identifier: MIT
// expect: signs of zeros included: compile without -fno-signed-zeros
// flags: -fno-signed-zeros
// compiler: GNU
#include <zeroth/config.hpp>
