// SPDX-License-Identifier: MIT
// expect: which the x87 unit
// flags: -mfpmath=387
// compiler: GNU
// processor: x86
#include <zeroth/config.hpp>
