// SPDX-License-Identifier: MIT
// expect: tells infinities and NaNs apart, which -ffinite-math-only forbids
// flags: -ffinite-math-only
#include <zeroth/config.hpp>
