// SPDX-License-Identifier: MIT
// expect: to be doubles: compile without -fsingle-precision-constant
// flags: -fsingle-precision-constant
// compiler: GNU
#include <zeroth/config.hpp>
