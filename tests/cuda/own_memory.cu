// SPDX-License-Identifier: MIT
#include "../backend/test_own_memory.cpp"
