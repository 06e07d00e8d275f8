// SPDX-License-Identifier: MIT
#include "../backend/test_known_answers.cpp"
