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

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
/// LLVM's OpenMP loses its own memory when a team changes size. This suppression also hides leaks on its threads, but
/// not those of the first thread outside of a region.
extern "C" char const* __lsan_default_suppressions();
char const* __lsan_default_suppressions() {
  return "leak:libomp.so\n";
}
#endif
#endif

int main(int argc, char** argv) {
  constexpr int skip_return_code = 77;
  const int failed = Catch::Session().run(argc, argv);
  return failed == 0 && zeroth_test::skipped ? skip_return_code : failed;
}
