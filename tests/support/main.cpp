// SPDX-License-Identifier: MIT
// The main() of every test program, compiled once: ctest runs one test case at a time, and 77 tells it "skipped".

#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#endif

#include "catch.hpp"
#include "paths.hpp"

std::filesystem::path zeroth_test::tests_directory() {
  return ZEROTH_TESTS_DIRECTORY;
}

int main(int argc, char** argv) {
  constexpr int skip_return_code = 77;
  const int failed = Catch::Session().run(argc, argv);
  return failed == 0 && zeroth_test::skipped ? skip_return_code : failed;
}
