// SPDX-License-Identifier: MIT
// expect: results to the bit, which -ffast-math forbids
// flags: -ffast-math
#include <zeroth/config.hpp>
