// SPDX-License-Identifier: MIT
// expect: -freciprocal-math forbid: compile without them
// flags: -funsafe-math-optimizations
// compiler: GNU
#include <zeroth/config.hpp>
