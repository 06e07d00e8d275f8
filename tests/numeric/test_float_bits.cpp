// SPDX-License-Identifier: MIT
#include <zeroth/numeric/float_bits.hpp>

#include <limits>

#include "catch.hpp"

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

TEST_CASE("bits and floats convert both ways") {
  CHECK(zeroth::bits_of(1.0F) == 0x3f800000U);
  CHECK(zeroth::bits_of(-0.0F) == 0x80000000U);
  CHECK(zeroth::float_of(0xc0000000U) == -2.0F);
}

TEST_CASE("magnitude bits order as magnitudes do, NaN last") {
  float const ascending[] = {0.0F, std::numeric_limits<float>::denorm_min(), -1e-20F, 0.5F, -2.0F, -infinity};
  for (std::size_t i = 1; i < std::size(ascending); ++i)
    CHECK(zeroth::magnitude_bits(ascending[i - 1]) < zeroth::magnitude_bits(ascending[i]));
  CHECK(zeroth::magnitude_bits(-0.0F) == zeroth::magnitude_bits(0.0F));
  CHECK(zeroth::magnitude_bits(not_a_number) > zeroth::magnitude_bits(infinity));
}

TEST_CASE("is_finite tells numbers from infinities and NaN") {
  CHECK(zeroth::is_finite(std::numeric_limits<float>::max()));
  CHECK_FALSE(zeroth::is_finite(infinity));
  CHECK_FALSE(zeroth::is_finite(-infinity));
  CHECK_FALSE(zeroth::is_finite(not_a_number));
  CHECK(zeroth::is_finite(std::numeric_limits<double>::lowest()));
  CHECK_FALSE(zeroth::is_finite(-std::numeric_limits<double>::infinity()));
  CHECK_FALSE(zeroth::is_finite(std::numeric_limits<double>::quiet_NaN()));
}

}  // namespace
