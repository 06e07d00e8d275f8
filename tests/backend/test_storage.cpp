// SPDX-License-Identifier: MIT
#include <zeroth/backend/cpu/convert.hpp>
#include <zeroth/backend/cpu/kernels.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <zeroth/storage/rounding.hpp>

#include "catch.hpp"
#include "tensors.hpp"

namespace {

using zeroth::DataType;
using zeroth::InstructionSet;
using zeroth::Rounding;
using zeroth::tile_size;

constexpr DataType types[] = {DataType::bf16, DataType::f16};

/// Calls body(set) for each supported instruction set.
template <class Body>
void for_each_set(Body const& body) {
  for (InstructionSet set : zeroth::every_instruction_set) {
    if (!zeroth::is_supported(set)) continue;
    INFO(std::string(to_string(set)));
    body(set);
  }
}

/// Whole tiles of floats: every number of the type, the floats next to it, those next to the midpoint between it and
/// the next number, and those next to the last number of the extended grid below that midpoint; with both signs.
std::vector<float> hard_values(DataType dtype) {
  std::vector<float> values;
  for (std::uint32_t code = 0; code < 0x8000; ++code) {
    std::uint32_t const low = zeroth::bits_of(widen(dtype, static_cast<std::uint16_t>(code)));
    std::uint32_t const high = zeroth::bits_of(widen(dtype, static_cast<std::uint16_t>(code + 1)));
    std::uint32_t const middle = code < 0x7fff && high > low ? low + (high - low) / 2 : low;
    for (std::uint32_t bits : {low, low + 1, middle - 1, middle, middle + 1, middle - (high - low) / 512}) {
      values.push_back(zeroth::float_of(bits));
      values.push_back(zeroth::float_of(bits | 0x80000000U));
    }
  }
  values.resize((values.size() + tile_size - 1) / tile_size * tile_size);
  return values;
}

TEST_CASE("every instruction set widens every number of 16 bits to the same float") {
  std::vector<std::uint16_t> numbers(0x10000);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::uint16_t>(i);
  for (DataType dtype : types) {
    std::vector<float> expected;
    for (std::uint16_t number : numbers) expected.push_back(widen(dtype, number));
    for_each_set([&](InstructionSet set) {
      std::vector<float> found(numbers.size());
      zeroth::widen_values(dtype, numbers.data(), found, set);
      CHECK(zeroth_test::bits(found) == zeroth_test::bits(expected));
    });
  }
}

TEST_CASE("every instruction set narrows to the same numbers of 16 bits") {
  for (DataType dtype : types) {
    std::vector<float> const values = hard_values(dtype);
    std::vector<std::uint16_t> expected;
    for (float value : values) expected.push_back(narrow(dtype, value));
    for_each_set([&](InstructionSet set) {
      std::vector<std::uint16_t> found(values.size());
      zeroth::narrow_values(dtype, values, found.data(), set);
      CHECK(found == expected);
    });
  }
}

TEST_CASE("values that fill no tile, of any type, are converted and no others are touched") {
  std::vector<float> const values = zeroth_test::normal_weights(333, 1);
  for_each_set([&](InstructionSet set) {
    for (DataType dtype : {DataType::f32, DataType::bf16, DataType::f16}) {
      std::vector<std::byte> stored((values.size() + 1) * size_of(dtype), std::byte{0x5a});
      zeroth::narrow_values(dtype, values, stored.data(), set);
      CHECK(stored.back() == std::byte{0x5a});
      std::vector<float> again(values.size() + 1, 7.0F);
      zeroth::widen_values(dtype, stored.data(), std::span(again).first(values.size()), set);
      CHECK(again.back() == 7.0F);
      for (std::size_t i = 0; i < values.size(); ++i) {
        float const expected = dtype == DataType::f32 ? values[i] : widen(dtype, narrow(dtype, values[i]));
        if (zeroth::bits_of(again[i]) != zeroth::bits_of(expected)) FAIL("value " << i << " of " << to_string(dtype));
      }
      zeroth::narrow_values(dtype, {}, nullptr, set);
      zeroth::widen_values(dtype, nullptr, {}, set);
    }
  });
}

/// A tile according to rounding.hpp: the 16-bit weights and their remainders, where the mask is set.
struct RoundedTile {
  std::uint16_t weights[tile_size];
  std::uint16_t errors[tile_size];
  std::int8_t lower[tile_size];

  bool operator==(RoundedTile const&) const = default;
};

RoundedTile round_tile(DataType dtype, Rounding rounding, float const* values, std::uint64_t tile,
                       zeroth::TileMask const& mask, zeroth::RandomSource const& source, RoundedTile result) {
  for (unsigned e = 0; e < tile_size; ++e) {
    if (!mask.test(e)) continue;
    result.weights[e] = narrow(dtype, values[e]);
    if (rounding == Rounding::stochastic)
      result.weights[e] = narrow_stochastic(dtype, values[e], rounding_bits(source, tile * tile_size + e));
    if (rounding == Rounding::compensated) result.errors[e] = rounding_error(dtype, values[e], result.weights[e]);
    if (rounding == Rounding::extra_byte) {
      zeroth::ExtendedWeight const extended = extend(dtype, values[e]);
      result.weights[e] = extended.upper;
      result.lower[e] = extended.lower;
    }
  }
  return result;
}

TEST_CASE("every instruction set rounds a tile as each weight's definition says") {
  RoundedTile before;
  for (unsigned e = 0; e < tile_size; ++e) {
    before.weights[e] = static_cast<std::uint16_t>(e * 509);
    before.errors[e] = static_cast<std::uint16_t>(e * 263);
    before.lower[e] = static_cast<std::int8_t>(e * 3 % 256 - 128);
  }
  zeroth::TileMask const mask{{0xfffffffefffffff7U, 0x7fffffffffffdfffU}};
  zeroth::RandomSource const source{0x123456789U, 7, 11, 0, zeroth::Purpose::rounding};
  for (DataType dtype : types) {
    std::vector<float> const values = hard_values(dtype);
    for (Rounding rounding : {Rounding::nearest, Rounding::stochastic, Rounding::compensated, Rounding::extra_byte}) {
      for_each_set([&](InstructionSet set) {
        zeroth::cpu_kernels::with_kernels(set, [&](auto kernels) {
          for (std::size_t first = 0; first < values.size(); first += tile_size) {
            std::uint64_t const tile = (std::uint64_t{1} << 33) + first / tile_size;
            RoundedTile found = before;
            void* const beside =
                rounding == Rounding::compensated ? static_cast<void*>(found.errors) : static_cast<void*>(found.lower);
            kernels.round(dtype, rounding, values.data() + first, tile, mask, source, found.weights, beside);
            RoundedTile const expected = round_tile(dtype, rounding, values.data() + first, tile, mask, source, before);
            if (!(found == expected))
              FAIL(to_string(dtype) << ", " << to_string(rounding) << ", values from " << first << " on");
          }
        });
      });
    }
  }
}

TEST_CASE("every instruction set adds a tile's remainders as each weight's definition says") {
  // All pairs of a weight, sampled, and a byte; and of a weight and an error.
  for (DataType dtype : types) {
    for_each_set([&](InstructionSet set) {
      zeroth::cpu_kernels::with_kernels(set, [&](auto kernels) {
        for (std::uint32_t first = 0; first < 0x10000; first += 61) {
          std::uint16_t weights[tile_size];
          std::int8_t lower[tile_size];
          std::uint16_t errors[tile_size];
          float widened[tile_size];
          for (unsigned e = 0; e < tile_size; ++e) {
            weights[e] = static_cast<std::uint16_t>(first + e * 37);
            lower[e] = static_cast<std::int8_t>((first + e * 2) % 256);
            errors[e] = static_cast<std::uint16_t>(0x3000 + first % 64 * 8 + e + (e % 2 == 0 ? 0x8000U : 0U));
            widened[e] = widen(dtype, weights[e]);
          }
          float extended[tile_size];
          float compensated[tile_size];
          std::copy_n(widened, tile_size, extended);
          std::copy_n(widened, tile_size, compensated);
          kernels.add_remainders(dtype, Rounding::extra_byte, weights, lower, extended);
          kernels.add_remainders(dtype, Rounding::compensated, weights, errors, compensated);
          for (unsigned e = 0; e < tile_size; ++e) {
            float const byte = to_float(dtype, {weights[e], lower[e]});
            if (zeroth::bits_of(extended[e]) != zeroth::bits_of(byte))
              FAIL(to_string(dtype) << " " << weights[e] << " with byte " << int{lower[e]});
            float const difference = widened[e] - zeroth::bfloat16_to_float(errors[e]);
            if (zeroth::bits_of(compensated[e]) != zeroth::bits_of(difference))
              FAIL(to_string(dtype) << " " << weights[e] << " with error " << errors[e]);
          }
        }
      });
    });
  }
}

}  // namespace
