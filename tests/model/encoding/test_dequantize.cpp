// SPDX-License-Identifier: MIT
#include "zeroth_model/encoding/dequantize.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "catch.hpp"

namespace {

using zeroth::model::dequantize;
using zeroth::model::TensorType;

std::string hex(std::uint32_t value) {
  char digits[9] = {};
  std::to_chars(digits, digits + 8, value, 16);
  return digits;
}

}  // namespace

TEST_CASE("half_to_float is exact for all 65536 halves") {
  for (std::uint32_t half = 0; half < 65536; ++half) {
    const int exponent = static_cast<int>(half >> 10) & 31;
    const int fraction = static_cast<int>(half & 1023u);
    const float found = zeroth::half_to_float(static_cast<std::uint16_t>(half));
    bool same = false;
    if (exponent == 31 && fraction != 0) {
      same = std::isnan(found);
    } else {
      const float magnitude = exponent == 31  ? std::numeric_limits<float>::infinity()
                              : exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                              : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
      const float expected = half >= 32768 ? -magnitude : magnitude;
      same = std::bit_cast<std::uint32_t>(found) == std::bit_cast<std::uint32_t>(expected);
    }
    if (!same) FAIL("half " << hex(half) << " became " << found);
  }
}

TEST_CASE("dequantize decodes block after block") {
  // Scale 2^-b in block b, and quants that all hold 1.
  std::vector<std::byte> blocks;
  for (unsigned b = 0; b < 3; ++b) {
    blocks.push_back(std::byte{0});
    blocks.push_back(static_cast<std::byte>(0x3c - 4 * b));
    blocks.insert(blocks.end(), 32, std::byte{1});
  }
  std::vector<float> values(96);
  dequantize(TensorType::q8_0, blocks, values);
  CHECK(values[0] == 1.0f);
  CHECK(values[31] == 1.0f);
  CHECK(values[32] == 0.5f);
  CHECK(values[95] == 0.25f);
}

TEST_CASE("dequantize rejects sizes that do not match and types it cannot decode") {
  using zeroth::InvalidArgument;
  using zeroth_test::contains_text;
  std::vector<std::byte> bytes(68);
  std::vector<float> values(64);
  CHECK_NOTHROW(dequantize(TensorType::q8_0, bytes, values));
  CHECK_NOTHROW(dequantize(TensorType::q8_0, {}, {}));
  CHECK_THROWS_WITH(dequantize(TensorType::q8_0, std::span(bytes).first(67), values), contains_text("67 bytes"));
  CHECK_THROWS_AS(dequantize(TensorType::q8_0, std::span(bytes).first(34), values), InvalidArgument);
  CHECK_THROWS_AS(dequantize(TensorType::q8_0, bytes, std::span(values).first(33)), InvalidArgument);
  CHECK_THROWS_AS(dequantize(TensorType::f32, bytes, values), InvalidArgument);
  CHECK_THROWS_WITH(dequantize(TensorType{77}, bytes, values),
                    contains_text("F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, Q8_K") &&
                        contains_text("found number 77"));
}

TEST_CASE("blocks decode with other scales to one rounding of the exact value") {
  using zeroth::InstructionSet;
  using zeroth::model::detail::block_decoder;
  std::mt19937 random(7);
  for (zeroth::model::TensorTypeTraits const& traits : zeroth::model::tensor_types) {
    if (!traits.is_quantized()) continue;
    INFO(traits.name);
    std::size_t const count = 9;
    std::vector<std::byte> blocks(count * traits.block_bytes);
    for (std::byte& b : blocks) b = static_cast<std::byte>(random());
    std::vector<float> own(count);
    std::vector<float> other(count);
    for (std::size_t i = 0; i < count; ++i) {
      std::byte* const block = blocks.data() + i * traits.block_bytes;
      // Finite scales and minima: the upper byte of a half is below that of infinity.
      if (traits.type == TensorType::q8_k) {
        float const scale = 0.75F + static_cast<float>(i);
        std::memcpy(block, &scale, sizeof scale);
      } else {
        block[traits.scale_at + 1] = std::byte{0x2a};
        if (traits.has_minimum) block[traits.scale_at + 3] = std::byte{0x31};
      }
      own[i] = zeroth::model::detail::load_scale(traits, block);
      other[i] = 0.1F + 0.07F * static_cast<float>(i);
    }
    std::vector<float> plain(count * traits.block_values);
    dequantize(traits.type, blocks, plain);
    std::vector<float> first;
    for (InstructionSet const set : zeroth::every_instruction_set) {
      if (!is_supported(set)) continue;
      INFO(to_string(set));
      std::vector<float> values(plain.size());
      block_decoder(traits.type, set)(blocks.data(), own.data(), values.data(), count);
      CHECK(values == plain);
      block_decoder(traits.type, set)(blocks.data(), other.data(), values.data(), count);
      CHECK(values != plain);
      if (first.empty()) first = values;
      CHECK(values == first);
    }
    // Values are linear in the scale: twice the scale's change is twice the values'.
    std::vector<float> zero(count * traits.block_values);
    std::vector<float> const none(count, 0.0F);
    block_decoder(traits.type, InstructionSet::portable)(blocks.data(), none.data(), zero.data(), count);
    for (std::size_t i = 0; i < plain.size(); ++i) {
      double const scale = static_cast<double>(other[i / traits.block_values] / own[i / traits.block_values]);
      double const minimum = static_cast<double>(zero[i]);
      double const expected = (static_cast<double>(plain[i]) - minimum) * scale + minimum;
      CHECK(std::abs(static_cast<double>(first[i]) - expected) <= 1e-5 * (1 + std::abs(expected)));
    }
  }
}
