// SPDX-License-Identifier: MIT
#include "../backend/test_kth_magnitude.cpp"
