// SPDX-License-Identifier: MIT
#include <zeroth/storage/narrow.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <zeroth/storage/widen.hpp>

#include "catch.hpp"

namespace {

using zeroth::bfloat16_to_float;
using zeroth::float_to_bfloat16;
using zeroth::float_to_half;
using zeroth::half_to_float;

constexpr float infinity = std::numeric_limits<float>::infinity();

/// Checks that every finite 16-bit number is kept, and that floats between neighbours go to the nearer one: those just
/// next to the midpoint, and the midpoint itself to the even one. Rounding is monotone if this holds, so no float is
/// left unchecked.
template <class Widen, class Narrow>
void check_all(Widen widen, Narrow narrow, std::uint32_t infinite, double beyond) {
  for (std::uint32_t n = 0; n < infinite; ++n) {
    const float value = widen(static_cast<std::uint16_t>(n));
    // The largest finite number is followed by the one that a wider range of exponents would have.
    const double next = n + 1 < infinite ? double{widen(static_cast<std::uint16_t>(n + 1))} : beyond;
    const float middle = static_cast<float>((double{value} + next) / 2);
    const std::uint32_t even = n % 2 == 0 ? n : n + 1;
    for (const std::uint32_t sign : {0u, 0x8000u}) {
      const auto found = [&](float magnitude) -> std::uint32_t { return narrow(sign == 0 ? magnitude : -magnitude); };
      if (found(value) != (sign | n)) FAIL("number " << n << " became " << found(value));
      if (found(std::nextafter(middle, 0.0f)) != (sign | n)) FAIL("below the middle behind " << n);
      if (found(middle) != (sign | even)) FAIL("the middle behind " << n << " became " << found(middle));
      if (found(std::nextafter(middle, infinity)) != (sign | (n + 1))) FAIL("above the middle behind " << n);
    }
  }
}

/// The float with these bits, narrowed.
std::uint32_t half_of(std::uint32_t bits) {
  return float_to_half(std::bit_cast<float>(bits));
}

std::uint32_t bfloat16_of(std::uint32_t bits) {
  return float_to_bfloat16(std::bit_cast<float>(bits));
}

}  // namespace

TEST_CASE("float_to_half rounds to nearest even around all halves") {
  check_all(half_to_float, float_to_half, 0x7c00, 0x1p16);
  CHECK(float_to_half(65504.0f) == 0x7bff);
  CHECK(float_to_half(65519.996f) == 0x7bff);
  CHECK(float_to_half(65520.0f) == 0x7c00);
  CHECK(float_to_half(0x1p-24f) == 1);
  CHECK(float_to_half(0x1p-25f) == 0);
  CHECK(float_to_half(0x1.000002p-25f) == 1);
  CHECK(float_to_half(std::numeric_limits<float>::denorm_min()) == 0);
  CHECK(float_to_half(-std::numeric_limits<float>::denorm_min()) == 0x8000);
  CHECK(float_to_half(std::numeric_limits<float>::max()) == 0x7c00);
}

TEST_CASE("float_to_bfloat16 rounds to nearest even around all bfloat16 numbers") {
  check_all(bfloat16_to_float, float_to_bfloat16, 0x7f80, 0x1p128);
  CHECK(float_to_bfloat16(1.0f) == 0x3f80);
  CHECK(bfloat16_of(0x7f7f7fff) == 0x7f7f);
  CHECK(bfloat16_of(0x7f7f8000) == 0x7f80);
  CHECK(bfloat16_of(0x00008000) == 0);
  CHECK(bfloat16_of(0x00008001) == 1);
}

TEST_CASE("infinities and NaNs stay what they are when they are narrowed") {
  CHECK(float_to_half(infinity) == 0x7c00);
  CHECK(float_to_half(-infinity) == 0xfc00);
  CHECK(float_to_bfloat16(infinity) == 0x7f80);
  CHECK(float_to_bfloat16(-infinity) == 0xff80);
  // Quiet, signalling, payload all ones, least payload; the quiet bit is set, the upper bits of the rest are kept.
  CHECK(half_of(0x7fc00000) == 0x7e00);
  CHECK(half_of(0x7fa02000) == 0x7f01);
  CHECK(half_of(0xffffffff) == 0xffff);
  CHECK(half_of(0x7f800001) == 0x7e00);
  CHECK(bfloat16_of(0x7fc00000) == 0x7fc0);
  CHECK(bfloat16_of(0xffa10000) == 0xffe1);
  CHECK(bfloat16_of(0x7fffffff) == 0x7fff);
  CHECK(bfloat16_of(0x7f800001) == 0x7fc0);
  for (std::uint32_t half = 0x7c01; half < 0x8000; ++half) {
    if (float_to_half(half_to_float(static_cast<std::uint16_t>(half))) != (half | 0x0200u)) FAIL("NaN " << half);
  }
}
