// SPDX-License-Identifier: MIT
// The main() of the GPU tests: without a GPU it says so and returns 77, which ctest reports as skipped.

#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#endif

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <zeroth/backend/cuda/runtime.hpp>

#include "catch.hpp"
#include "paths.hpp"

/// On the machine with the GPU, the files are not where the program was built.
std::filesystem::path zeroth_test::tests_directory() {
  char const* const there = std::getenv("ZEROTH_TESTS_DIRECTORY");
  return there != nullptr ? there : ZEROTH_TESTS_DIRECTORY;
}

int main(int argc, char** argv) {
  bool lists = false;
  for (int i = 1; i < argc; ++i) lists = lists || std::string_view(argv[i]).starts_with("--list");
  std::string const why = zeroth::cuda::why_unusable(0);
  if (!lists && !why.empty()) {
    std::printf("skipped: %s\n", why.c_str());
    return 77;
  }
  return Catch::Session().run(argc, argv);
}
