// SPDX-License-Identifier: MIT
#include "zeroth/model/format/narrow.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

#include "catch.hpp"
#include "zeroth/model/format/dequantize.hpp"

using zeroth::model::bfloat16_to_float;
using zeroth::model::float_to_bfloat16;
using zeroth::model::float_to_half;
using zeroth::model::half_to_float;

namespace {

/// Holds `narrow` to `widen` at every number of 16 bits: the number itself, the point halfway to the next, which goes
/// to the even one, and the floats on either side of that point. `infinity` is the bits of infinity.
template <class Narrow, class Widen>
std::uint32_t mistakes(Narrow narrow, Widen widen, std::uint32_t infinity) {
  std::uint32_t wrong = 0;
  for (std::uint32_t bits = 0; bits <= infinity; ++bits) {
    for (const std::uint32_t sign : {0u, 0x8000u}) {
      const auto low = static_cast<std::uint16_t>(sign | bits);
      const float value = widen(low);
      wrong += narrow(value) != low;
      if (bits == infinity) continue;
      const auto high = static_cast<std::uint16_t>(low + 1);
      // Infinity counts as the number that would follow the largest.
      const double next = bits + 1 == infinity ? 2.0 * value - widen(static_cast<std::uint16_t>(low - 1)) : widen(high);
      const auto middle = static_cast<float>((value + next) / 2);
      wrong += narrow(middle) != (bits % 2 == 0 ? low : high);
      wrong += narrow(std::nextafter(middle, value)) != low;
      wrong += narrow(std::nextafter(middle, static_cast<float>(next))) != high;
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("float_to_half rounds to the nearest half and to even ones") {
  CHECK(mistakes(float_to_half, half_to_float, 0x7c00) == 0);
  CHECK(float_to_half(65519.99F) == 0x7bff);
  CHECK(float_to_half(65520.0F) == 0x7c00);
  CHECK(float_to_half(-1e30F) == 0xfc00);
  CHECK(float_to_half(std::numeric_limits<float>::denorm_min()) == 0);
  CHECK(float_to_half(-0x1p-25F) == 0x8000);
}

TEST_CASE("float_to_bfloat16 rounds to the nearest bfloat16 and to even ones") {
  CHECK(mistakes(float_to_bfloat16, bfloat16_to_float, 0x7f80) == 0);
  CHECK(float_to_bfloat16(std::numeric_limits<float>::max()) == 0x7f80);
  CHECK(float_to_bfloat16(std::numeric_limits<float>::lowest()) == 0xff80);
}

TEST_CASE("narrowing keeps NaN a quiet NaN of its sign") {
  for (const std::uint32_t bits : {0x7fc00000u, 0x7f800001u, 0xff800001u, 0xffffffffu}) {
    const auto value = std::bit_cast<float>(bits);
    const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
    CHECK((float_to_half(value) & 0xfe00) == (sign | 0x7e00));
    CHECK((float_to_bfloat16(value) & 0xffc0) == (sign | 0x7fc0));
  }
}
