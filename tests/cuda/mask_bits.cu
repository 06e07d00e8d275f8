// SPDX-License-Identifier: MIT
#include "../backend/test_mask_bits.cpp"
