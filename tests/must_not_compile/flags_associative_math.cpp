// SPDX-License-Identifier: MIT
// expect: -freciprocal-math forbid: compile without them
// flags: -fassociative-math -fno-signed-zeros -fno-trapping-math
// compiler: GNU
#include <zeroth/config.hpp>
