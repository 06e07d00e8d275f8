// SPDX-License-Identifier: MIT
// The policies of the examples, whose main() returns nothing.
#pragma GCC diagnostic ignored "-Wreturn-type"
#define main main_of_custom_mask
#include "examples/custom_mask.cpp"
#undef main
#define main main_of_custom_update
#include "examples/custom_update.cpp"
#undef main
#define main main_of_custom
#define KeepZeros KeepZerosOfCustom
#include "bench/custom.cpp"
#undef KeepZeros
#undef main

void context(zeroth::ParameterSet const& parameters) {
  // @block
}
