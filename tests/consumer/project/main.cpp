// SPDX-License-Identifier: MIT
// A project of somebody else: it has only what find_package, add_subdirectory or a copy of include/ gives it.
#include <cstdio>
#include <zeroth/error.hpp>

int main() {
  try {
    throw zeroth::InvalidArgument("epsilon must be > 0 and finite, got -1");
  } catch (const zeroth::Error& error) {
    std::puts(error.what());
  }
}
