// SPDX-License-Identifier: MIT
// JSON files, read as every type. An accepted file must read the same after it is written again.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <zeroth_model/io/json_file.hpp>

#include "fuzz_target.hpp"

namespace zeroth_fuzz {
namespace {

using zeroth::model::JsonMember;
using zeroth::model::JsonValue;

template <class T>
void read_as(const JsonValue& value) {
  reads_or_refuses([&] { value.as<T>(); });
  reads_or_refuses([&] { value.find<T>("a"); });
  reads_or_refuses([&] { value.get_array<T>("a"); });
}

// One type per value, in turn: rejections dominate the cost, and a value has only one type.
void walk(const JsonValue& value, std::size_t& turn) {
  static constexpr std::array readers = {read_as<bool>,          read_as<std::string>,   read_as<float>,
                                         read_as<double>,        read_as<std::uint32_t>, read_as<std::int32_t>,
                                         read_as<std::uint64_t>, read_as<std::int64_t>};
  readers[turn++ % readers.size()](value);
  reads_or_refuses([&] {
    for (const JsonValue& element : value.elements()) walk(element, turn);
  });
  reads_or_refuses([&] {
    for (const JsonMember& member : value.members()) {
      require(value.find(member.key).has_value() != member.value.json().is_null(), "find() misses a member");
      walk(member.value, turn);
    }
  });
}

}  // namespace

bool run(Input input) {
  return reads_or_refuses([&] {
    const JsonValue value = JsonValue::parse(text_of(input), "input.json", {.bytes = 1u << 20});
    const JsonValue again = read_again([&] { return JsonValue::parse(value.json().dump(), "written"); });
    require(again.json() == value.json(), "written again, it reads otherwise");
    std::size_t turn = input.size();  // inputs of different length begin with different types
    walk(value, turn);
  });
}

std::vector<std::string> seeds() {
  return {
      R"({"a": [1, -2, 3.5e-3], "b": {"a": "x\u00e9\n", "c": null}, "d": true, "e": 18446744073709551615})",
      R"([[[{"a": [true, false]}]], "\ud83d\ude42", 1e38, -0.0, 0, {}])",
      R"({"hidden_size": 576, "rope_scaling": {"factor": 32.0, "rope_type": "llama3"}, "eos_token_id": [1, 2]})",
      "{\"a\": NaN, \"b\": -Infinity}",
  };
}

}  // namespace zeroth_fuzz
