// SPDX-License-Identifier: MIT
#include "../backend/test_preview.cpp"
