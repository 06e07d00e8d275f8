// SPDX-License-Identifier: MIT
#include <zeroth/numeric/fma.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <zeroth/numeric/float_bits.hpp>
#include <zeroth/random/philox.hpp>

#include "catch.hpp"

namespace {

using zeroth::bits_of;
using zeroth::float_of;

bool is_nan(std::uint32_t bits) {
  return (bits & 0x7fffffffU) > 0x7f800000U;
}

bool is_same(float found, float expected) {
  return bits_of(found) == bits_of(expected) || (is_nan(bits_of(found)) && is_nan(bits_of(expected)));
}

/// Whether both agree with the library, to the bit; all NaNs count as equal.
bool agrees(float a, float b, float c) {
  float const expected = std::fma(a, b, c);
  return is_same(zeroth::detail::software_fma(a, b, c), expected) &&
         is_same(zeroth::fused_multiply_add(a, b, c), expected);
}

TEST_CASE("multiply-add in double arithmetic is the fused one at the edges of the format") {
  std::vector<float> values;
  for (std::uint32_t bits : {0x00000000U, 0x00000001U, 0x00000003U, 0x007fffffU, 0x00800000U, 0x00800001U, 0x0d800001U,
                             0x1f800001U, 0x33800000U, 0x33800001U, 0x3f7fffffU, 0x3f800000U, 0x3f800001U, 0x3fffffffU,
                             0x4b7fffffU, 0x5f7fffffU, 0x5f800000U, 0x7f7fffffU, 0x7f800000U, 0x7fc00000U}) {
    values.push_back(float_of(bits));
    values.push_back(float_of(bits | 0x80000000U));
  }
  std::size_t wrong = 0;
  for (float a : values)
    for (float b : values)
      for (float c : values) wrong += agrees(a, b, c) ? 0 : 1;
  CHECK(wrong == 0);
}

TEST_CASE("multiply-add in double arithmetic is the fused one where two roundings would not be") {
  // The product lies midway between two singles, and the addend is too small for a double to hold the sum.
  float const a = 0x1.000002p12F;
  float const b = 0x1.000004p12F;  // a b = 2^24 (1 + 2^-23 + 2^-22 + 2^-45)
  float const middle = 0x1.8p12F;  // 1.5 2^12 times 1 + 2^-23 is a midpoint: 1.5 2^24 + 1.5 2
  CHECK(agrees(a, b, 0x1p-30F));
  for (float tip : {0x1p-40F, 0x1p-100F, 0x1p-149F}) {
    CHECK(agrees(middle, 0x1.000002p12F, tip));
    CHECK(agrees(middle, 0x1.000002p12F, -tip));
    CHECK(zeroth::detail::software_fma(middle, 0x1.000002p12F, tip) !=
          zeroth::detail::software_fma(middle, 0x1.000002p12F, -tip));
    // Subnormal results, whose midpoints lie elsewhere.
    CHECK(agrees(0x1p-75F, 0x1p-75F, 0x1p-130F));
    CHECK(agrees(0x1.000002p-75F, 0x1p-75F, 0x1p-127F));
    CHECK(agrees(-0x1.fffffep-76F, 0x1p-75F, 0x1p-127F));
  }
}

TEST_CASE("multiply-add in double arithmetic is the fused one for any bits") {
  zeroth::RandomSource const source{.seed = 7};
  std::size_t wrong = 0;
  for (std::uint64_t i = 0; i < 200000; ++i) {
    auto const words = source.block(i);
    float const a = float_of(words[0]);
    float const b = float_of(words[1]);
    wrong += agrees(a, b, float_of(words[2])) ? 0 : 1;
    // An addend of about the product's size, or one at the end of the range where a double still holds the sum.
    float const near = a * b * float_of((words[2] & 0x807fffffU) | ((96 + words[3] % 64) << 23));
    wrong += agrees(a, b, near) ? 0 : 1;
  }
  CHECK(wrong == 0);
}

}  // namespace
