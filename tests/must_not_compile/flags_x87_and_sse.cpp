// SPDX-License-Identifier: MIT
// expect: which the x87 unit
// flags: -mfpmath=both
// compiler: GNU
// processor: x86
#include <zeroth/config.hpp>
