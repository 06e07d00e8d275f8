// SPDX-License-Identifier: MIT
// Separate from the other tests of dequantize() because it is compiled in four more ways.
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "known_answers.hpp"
#include "paths.hpp"
#include "zeroth_model/encoding/dequantize.hpp"

namespace {

using zeroth::InstructionSet;
using zeroth::model::TensorTypeTraits;

TensorTypeTraits type_named(std::string_view name) {
  for (const auto& traits : zeroth::model::tensor_types) {
    if (traits.name == name) return traits;
  }
  FAIL("no tensor type is called " << name);
  return zeroth::model::tensor_types[0];
}

/// The bytes of a block after one more, so that every block lies at an odd address.
std::vector<std::byte> odd_bytes(const std::string& hex) {
  std::vector<std::byte> bytes(1);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(std::byte{zeroth_test::KnownAnswer(hex.substr(i, 2)).hex<std::uint8_t>()});
  }
  return bytes;
}

/// The bits of a value; all NaNs give the same.
std::uint32_t word(float value) {
  return std::isnan(value) ? 0x7fc00000u : std::bit_cast<std::uint32_t>(value);
}

/// 64-bit FNV-1a of the values' bits.
std::uint64_t digest(std::span<const float> values) {
  std::uint64_t result = 0xcbf29ce484222325u;
  for (const float value : values) {
    for (int shift = 0; shift < 32; shift += 8) result = (result ^ (word(value) >> shift & 0xffu)) * 0x100000001b3u;
  }
  return result;
}

}  // namespace

TEST_CASE("dequantize gives the bits of gguf-py for every golden block") {
  const auto golden = nlohmann::json::parse(std::ifstream(zeroth_test::tests_directory() / "golden" / "blocks.json"));
  std::set<std::string_view> names;
  for (const auto& item : golden.at("cases")) {
    const TensorTypeTraits traits = type_named(item.at("type").get<std::string>());
    const auto block = item.at("block").get<std::string>();
    INFO(traits.name << " block " << block);
    const auto bytes = odd_bytes(block);
    REQUIRE((bytes.size() - 1) % traits.block_bytes == 0);
    for (const InstructionSet set : zeroth::every_instruction_set) {
      if (!zeroth::is_supported(set)) continue;
      INFO(zeroth::to_string(set));
      std::vector<float> values((bytes.size() - 1) / traits.block_bytes * traits.block_values);
      zeroth::model::dequantize(traits.type, std::span(bytes).subspan(1), values, set);

      // All values, or every 32nd of a large block and a digest of all.
      const std::size_t stride = item.contains("digest") ? 32 : 1;
      const auto words = item.at("values").get<std::string>();
      REQUIRE((words.size() + 1) / 9 * stride == values.size());
      zeroth_test::KnownAnswer expected(words);
      for (std::size_t i = 0; i < values.size(); i += stride) {
        INFO("value " << i);
        REQUIRE(word(values[i]) == expected.hex<std::uint32_t>());
      }
      if (stride > 1) {
        REQUIRE(digest(values) == zeroth_test::KnownAnswer(item.at("digest").get<std::string>()).hex<std::uint64_t>());
      }
    }
    names.insert(traits.name);
  }
  for (const TensorTypeTraits& traits : zeroth::model::tensor_types) {
    INFO(traits.name);
    CHECK(names.contains(traits.name));
  }
}
