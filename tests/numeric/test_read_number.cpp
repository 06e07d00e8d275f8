// SPDX-License-Identifier: MIT
#include <zeroth/numeric/read_number.hpp>

#include <cmath>
#include <cstdint>
#include <string_view>

#include "catch.hpp"

namespace {

TEST_CASE("a number is read if it is the whole text") {
  double value = 0;
  for (std::string_view text : {"0.1", "-2.5e-3", "1e+05", ".5", "1e-310", "123456789012345678901234567890"})
    CHECK(zeroth::read_number(text, value));
  CHECK(zeroth::read_number("0.1", value));
  CHECK(value == 0.1);
  CHECK(zeroth::read_number("-inf", value));
  CHECK(std::isinf(value));
  CHECK(zeroth::read_number("nan", value));
  CHECK(std::isnan(value));
  float single = 0;
  CHECK(zeroth::read_number("0.1", single));
  CHECK(single == 0.1F);
  std::uint64_t whole = 0;
  CHECK(zeroth::read_number("18446744073709551615", whole));
  CHECK(whole == 0xffff'ffff'ffff'ffffU);
}

TEST_CASE("what is no number, or not only one, is not read") {
  double value = 0;
  for (std::string_view text : {"", " 1", "1 ", "+1", "0x10", "1e999", "1,5", "1.5f", "e5", "-"})
    CHECK_FALSE(zeroth::read_number(text, value));
  std::uint32_t whole = 0;
  for (std::string_view text : {"", "-1", "1.0", "4294967296", "1 "}) CHECK_FALSE(zeroth::read_number(text, whole));
}

}  // namespace
