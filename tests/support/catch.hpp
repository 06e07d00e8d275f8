// SPDX-License-Identifier: MIT
#pragma once

// One include for Catch2 2.13 (Debian 12) and Catch2 3: write Approx and contains_text, and both understand.

#include <string>

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_message.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <catch2/matchers/catch_matchers_vector.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

namespace zeroth_test {

/// A matcher for a part of a string: Contains in Catch2 2, ContainsSubstring in Catch2 3.
inline auto contains_text(const std::string& part) {
#if __has_include(<catch2/catch_test_macros.hpp>)
  return Catch::Matchers::ContainsSubstring(part);
#else
  return Catch::Matchers::Contains(part);
#endif
}

/// Set by ZEROTH_SKIP and read by the test program's main(), which then returns 77.
inline bool skipped = false;

}  // namespace zeroth_test

/// Leaves the test case and lets ctest report it as skipped. Use it directly in the body of a TEST_CASE (it returns).
#define ZEROTH_SKIP(reason)        \
  do {                             \
    zeroth_test::skipped = true;   \
    WARN("skipped: " << (reason)); \
    return;                        \
  } while (false)
