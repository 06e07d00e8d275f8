// SPDX-License-Identifier: MIT
#include <zeroth/storage/rounding.hpp>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "tensors.hpp"

namespace {

using zeroth::bits_of;
using zeroth::DataType;
using zeroth::ExtendedWeight;
using zeroth::float_of;
using zeroth::Rounding;

constexpr DataType types[] = {DataType::bf16, DataType::f16};

TEST_CASE("a rounding has a name and says what it keeps") {
  std::set<std::string> names;
  for (Rounding rounding : {Rounding::nearest, Rounding::stochastic, Rounding::compensated, Rounding::extra_byte})
    names.insert(std::string(to_string(rounding)));
  CHECK(names == std::set<std::string>{"nearest", "stochastic", "compensated", "extra-byte"});
  CHECK(remainder_bytes(Rounding::nearest) == 0);
  CHECK(remainder_bytes(Rounding::stochastic) == 0);
  CHECK(remainder_bytes(Rounding::compensated) == 2);
  CHECK(remainder_bytes(Rounding::extra_byte) == 1);
}

TEST_CASE("over all random bits the mean of a stochastic rounding is the value itself") {
  // Numbers of many magnitudes. In bf16, and in f16 down to 2^-17, a float's distance to its neighbours is a whole
  // number of 2^-16 steps, so the mean is exact; below that the share is cut off.
  for (DataType dtype : types) {
    for (float value : {0.02F, -0.02F, 1.0F / 3, 3.1e-5F, -2.9e-4F, 12345.678F, -1.0e-5F, 6.1e-5F}) {
      double sum = 0;
      double squares = 0;
      for (std::uint32_t random = 0; random < 0x10000; ++random) {
        double const error = double{widen(dtype, narrow_stochastic(dtype, value, random))} - double{value};
        sum += error;
        squares += error * error;
      }
      INFO(to_string(dtype) << " " << value);
      CHECK(sum == 0);
      float const below = widen(dtype, narrow_stochastic(dtype, value, 0));
      float const above = widen(dtype, narrow_stochastic(dtype, value, 0xffff));
      // The variance of a value that is one of two numbers: (value - below) (above - value).
      double const variance = (double{value} - double{below}) * (double{above} - double{value});
      CHECK(squares / 0x10000 == Approx(variance).epsilon(1e-12));
    }
  }
}

TEST_CASE("a stochastic rounding of a tiny half is off by less than 2^-40") {
  for (float value : {1.234567e-7F, 7.7e-9F, -3.3e-6F, 1e-12F, 1e-40F}) {
    double sum = 0;
    for (std::uint32_t random = 0; random < 0x10000; ++random)
      sum += double{widen(DataType::f16, narrow_stochastic(DataType::f16, value, random))};
    INFO(value);
    CHECK(std::abs(sum / 0x10000 - double{value}) < 0x1p-40);
  }
}

TEST_CASE("every number of 16 bits stays what it is in every way of rounding") {
  for (DataType dtype : types) {
    for (std::uint32_t i = 0; i < 0x10000; ++i) {
      auto const stored = static_cast<std::uint16_t>(i);
      float const value = widen(dtype, stored);
      bool const nan = zeroth::magnitude_of(stored) > zeroth::infinity_of(dtype);
      std::uint16_t const expected =
          nan ? static_cast<std::uint16_t>(stored | (dtype == DataType::bf16 ? 0x40 : 0x200)) : stored;
      bool same = narrow(dtype, value) == expected;
      for (std::uint32_t random : {0x0000U, 0x8000U, 0xffffU})
        same = same && narrow_stochastic(dtype, value, random) == expected;
      same = same && extend(dtype, value) == ExtendedWeight{expected, 0};
      same = same && rounding_error(dtype, value, expected) == 0;
      if (!same) FAIL(to_string(dtype) << " number " << i);
    }
  }
}

TEST_CASE("every extended number stays what it is, and is at most half a step from its 16-bit number") {
  for (DataType dtype : types) {
    float last = -1;
    for (std::uint32_t code = 0; code < zeroth::infinity_of(dtype); ++code) {
      for (int lower = code == 0 ? 0 : -128; lower < 128; ++lower) {
        ExtendedWeight const weight{static_cast<std::uint16_t>(code), static_cast<std::int8_t>(lower)};
        float const value = to_float(dtype, weight);
        bool const beyond = code + 1 == zeroth::infinity_of(dtype) && lower == 127;
        bool same = value > last && std::abs(narrow(dtype, value) - static_cast<int>(code)) <= (lower == -128 ? 1 : 0);
        same = same && extend(dtype, value) == weight;
        ExtendedWeight const negative{static_cast<std::uint16_t>(code | 0x8000U), weight.lower};
        same = same && extend(dtype, -value) == negative && bits_of(to_float(dtype, negative)) == bits_of(-value);
        if (!same && !beyond) FAIL(to_string(dtype) << " " << code << " and " << lower << ": " << value);
        last = value;
      }
    }
  }
}

TEST_CASE("a byte has eight more bits of mantissa than the weight") {
  for (DataType dtype : types) {
    double const step = dtype == DataType::bf16 ? 0x1p-7 : 0x1p-10;
    // Values between 1 and 2, whose steps are those of 1.
    for (double value : {1.001, 1.25, 1.3333, 1.5001, 1.9}) {
      auto const rounded = static_cast<float>(value);
      CHECK(std::abs(double{to_float(dtype, extend(dtype, rounded))} - double{rounded}) <= step / 512);
    }
  }
}

TEST_CASE("an extended number that is not finite has no byte, and a stale byte does no harm") {
  float const infinity = std::numeric_limits<float>::infinity();
  float const not_a_number = std::numeric_limits<float>::quiet_NaN();
  for (DataType dtype : types) {
    auto const infinite = static_cast<std::uint16_t>(zeroth::infinity_of(dtype));
    CHECK((extend(dtype, infinity) == ExtendedWeight{infinite, 0}));
    CHECK((extend(dtype, std::numeric_limits<float>::max()) == ExtendedWeight{infinite, 0}));
    CHECK(extend(dtype, not_a_number).lower == 0);
    CHECK(to_float(dtype, {infinite, -5}) == infinity);
    CHECK(std::isnan(to_float(dtype, {extend(dtype, not_a_number).upper, 99})));
    CHECK(bits_of(to_float(dtype, {0x8000, -7})) == 0x80000000U);
    CHECK(to_float(dtype, {0, -7}) == 0);
  }
  CHECK((extend(DataType::f16, 65519.0F) == ExtendedWeight{0x7bff, 120}));
  CHECK((extend(DataType::f16, 65520.0F) == ExtendedWeight{0x7c00, 0}));
  CHECK((extend(DataType::f16, 1e30F) == ExtendedWeight{0x7c00, 0}));
}

TEST_CASE("a half beyond the largest becomes infinite by chance, surely from 65536 on") {
  int infinite = 0;
  for (std::uint32_t random = 0; random < 0x10000; ++random)
    infinite += narrow_stochastic(DataType::f16, -65528.0F, random) == 0xfc00 ? 1 : 0;
  CHECK(infinite == 0x10000 * 3 / 4);
  CHECK(narrow_stochastic(DataType::f16, 65536.0F, 0) == 0x7c00);
  CHECK(narrow_stochastic(DataType::f16, std::numeric_limits<float>::max(), 0) == 0x7c00);
}

TEST_CASE("what a compensated weight's error leaves is below 2^-17 of the weight in bf16") {
  for (float value : zeroth_test::normal_weights(1000, 3)) {
    std::uint16_t const weight = zeroth::float_to_bfloat16(value);
    std::uint16_t const error = rounding_error(DataType::bf16, value, weight);
    double const again = double{zeroth::bfloat16_to_float(weight)} - double{zeroth::bfloat16_to_float(error)};
    // The error is at most 2^-9 of the weight's binade, and is itself kept to 2^-9.
    CHECK(std::abs(again - double{value}) <= std::abs(double{value}) * 0x1p-17);
  }
}

TEST_CASE("the bits that round an element are 16 of Philox's, eight elements a block") {
  zeroth::RandomSource const source{5, 6, 7, 0, zeroth::Purpose::rounding};
  std::set<std::pair<std::uint64_t, std::uint32_t>> seen;
  for (std::uint64_t element : {0U, 1U, 15U, 16U, 17U, 127U, 128U, 1000U}) {
    zeroth::BlockPosition const at = zeroth::block_position<8>(element);
    std::uint32_t const word = source.block(at.block)[at.value / 2];
    CHECK(rounding_bits(source, element) == (at.value % 2 == 0 ? word & 0xffffU : word >> 16));
    seen.insert({at.block, at.value});
  }
  CHECK(seen.size() == 8);
}

}  // namespace
