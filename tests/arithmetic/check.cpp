// SPDX-License-Identifier: MIT
// Prints what check_arithmetic finds in a program that run.cmake compiles in several ways.
#include <cstdio>
#include <exception>

#include <zeroth/backend/known_answer.hpp>
#include <zeroth/backend/reference.hpp>

int main() {
  float const volatile least = 0x1p-126F;
  float const volatile half = least * 0.5F;
  if (zeroth::bits_of(half) == 0) std::puts("subnormal numbers are 0");
  try {
    zeroth::check_arithmetic(zeroth::ReferenceBackend{});
  } catch (std::exception const& error) {
    std::puts(error.what());
    return 1;
  }
  std::puts("as known");
}
