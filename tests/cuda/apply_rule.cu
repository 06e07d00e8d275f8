// SPDX-License-Identifier: MIT
#include "../backend/test_apply_rule.cpp"
