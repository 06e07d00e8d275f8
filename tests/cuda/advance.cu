// SPDX-License-Identifier: MIT
#include "../backend/test_advance.cpp"
