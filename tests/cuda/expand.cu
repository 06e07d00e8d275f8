// SPDX-License-Identifier: MIT
#include "../backend/test_expand.cpp"
