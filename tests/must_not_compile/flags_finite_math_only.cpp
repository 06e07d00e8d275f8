// SPDX-License-Identifier: MIT
// expect: detects infinities and NaNs, which -ffinite-math-only forbids
// flags: -ffinite-math-only
#include <zeroth/config.hpp>
