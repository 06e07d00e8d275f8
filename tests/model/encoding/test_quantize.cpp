// SPDX-License-Identifier: MIT
#include "zeroth_model/encoding/quantize.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "known_answers.hpp"
#include "paths.hpp"
#include "zeroth_model/encoding/dequantize.hpp"

using zeroth::model::dequantize;
using zeroth::model::quantize;
using zeroth::model::TensorType;

namespace {

std::string hex_of(std::vector<std::byte> const& bytes) {
  constexpr char const* digits = "0123456789abcdef";
  std::string text;
  for (std::byte b : bytes) {
    text += digits[std::to_integer<unsigned>(b) >> 4];
    text += digits[std::to_integer<unsigned>(b) & 15U];
  }
  return text;
}

}  // namespace

TEST_CASE("quantize gives the bits of gguf-py for every golden block") {
  auto const golden =
      nlohmann::json::parse(std::ifstream(zeroth_test::tests_directory() / "golden" / "quantized_blocks.json"));
  REQUIRE(golden.at("cases").size() > 20);
  for (auto const& item : golden.at("cases")) {
    zeroth_test::KnownAnswer words(item.at("values").get<std::string>());
    std::vector<float> values;
    for (std::size_t i = 0; i < 32; ++i) values.push_back(zeroth::float_of(words.hex<std::uint32_t>()));
    INFO(item.dump());
    for (auto const& [name, type] : {std::pair("Q8_0", TensorType::q8_0), std::pair("Q4_0", TensorType::q4_0)}) {
      std::vector<std::byte> blocks;
      quantize(type, values, blocks);
      CHECK(hex_of(blocks) == item.at(name).get<std::string>());
    }
  }
}

TEST_CASE("quantised values are within half a step, and their blocks quantise to themselves") {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 0.03F);
  std::vector<float> values(32 * 200);
  for (float& v : values) v = normal(random);
  for (auto const& [type, steps] : {std::pair(TensorType::q8_0, 127.0F), std::pair(TensorType::q4_0, 8.0F)}) {
    std::vector<std::byte> blocks;
    quantize(type, values, blocks);
    std::vector<float> back(values.size());
    dequantize(type, blocks, back);
    for (std::size_t i = 0; i < values.size(); i += 32) {
      float most = 0;
      for (std::size_t k = i; k < i + 32; ++k) most = std::max(most, std::abs(values[k]));
      // The half step, the scale's rounding to a half, and for Q4_0 the value that would be the 8th step up.
      float const bound = most / steps * (type == TensorType::q4_0 ? 1.01F : 0.57F);
      for (std::size_t k = i; k < i + 32; ++k) CHECK(std::abs(back[k] - values[k]) <= bound);
    }
    std::vector<std::byte> again;
    quantize(type, back, again);
    if (type == TensorType::q4_0) CHECK(again == blocks);
  }
}

TEST_CASE("quantize refuses what blocks cannot hold") {
  using zeroth_test::contains_text;
  std::vector<std::byte> blocks;
  std::vector<float> values(33);
  CHECK_THROWS_WITH(quantize(TensorType::q8_0, values, blocks),
                    contains_text("multiple of 32 values for Q8_0, found 33"));
  values.resize(32);
  CHECK_THROWS_WITH(quantize(TensorType::q4_k, values, blocks), contains_text("expected Q8_0 or Q4_0"));
  values[3] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(quantize(TensorType::q8_0, values, blocks), contains_text("finite values for Q8_0, found inf"));
  values[3] = 1e7F;
  CHECK_THROWS_WITH(quantize(TensorType::q8_0, values, blocks), contains_text("scales in the range of f16"));
  CHECK_THROWS_WITH(quantize(TensorType::q4_0, values, blocks), contains_text("scales in the range of f16"));
}
