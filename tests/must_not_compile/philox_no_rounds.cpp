// SPDX-License-Identifier: MIT
// expect: Philox4x32 takes 1 to 16 rounds
// Philox4x32 without rounds is not a random function.
#include <zeroth/random/philox.hpp>

#ifdef ZEROTH_FIXED
constexpr unsigned rounds = 10;
#else
constexpr unsigned rounds = 0;
#endif

zeroth::RandomBlock const block = zeroth::Philox4x32<rounds>{}({}, 0, 0);
