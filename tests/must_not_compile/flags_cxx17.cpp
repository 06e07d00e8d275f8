// SPDX-License-Identifier: MIT
// expect: zeroth needs C++20: compile with -std=c++20 or later
// flags: -std=c++17
#include <zeroth/zeroth.hpp>
