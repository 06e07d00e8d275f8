// SPDX-License-Identifier: MIT
// expect: -freciprocal-math forbid: compile without them
// flags: -freciprocal-math
// compiler: GNU
#include <zeroth/config.hpp>
