// SPDX-License-Identifier: MIT
#include <zeroth/parameters.hpp>

#include <vector>

#include "catch.hpp"

namespace {

using zeroth::DataType;
using zeroth::Parameter;
using zeroth::ParameterSet;
using zeroth::Role;
using zeroth_test::contains_text;

std::vector<float> memory(100);

Parameter parameter(std::string name, std::size_t first, std::uint64_t size, std::uint32_t stream,
                    std::uint64_t offset = 0) {
  return {std::move(name), Role::matrix, {1, size}, DataType::f32, memory.data() + first, stream, offset};
}

TEST_CASE("parameters keep their order and are found by name") {
  ParameterSet set;
  CHECK(set.empty());
  CHECK(set.add("a", Role::matrix, {3, 4}, std::span(memory).first(12)) == 0);
  CHECK(set.add("b", Role::vector, {1, 5}, std::span(memory).subspan(12, 5)) == 1);
  CHECK(set.size() == 2);
  CHECK(set.weights() == 17);
  CHECK(set.bytes() == 68);
  CHECK(set.index_of("b") == 1);
  CHECK(set[0].stream == zeroth::stream_of("a"));
  CHECK(set[1].data == memory.data() + 12);
  CHECK_THROWS_WITH(set.index_of("c"), contains_text("no parameter is named 'c'"));
}

TEST_CASE("a name gives its noise stream by FNV-1a") {
  CHECK(zeroth::stream_of("") == 0x811c9dc5U);
  CHECK(zeroth::stream_of("a") == 0xe40c292cU);
  CHECK(zeroth::stream_of("foobar") == 0xbf9cf968U);
}

TEST_CASE("a parameter that cannot be tuned is refused by name") {
  ParameterSet set;
  CHECK_THROWS_WITH(set.add(parameter("", 0, 1, 0)), contains_text("parameter 0: its name is empty"));
  CHECK_THROWS_WITH(set.add(parameter("a", 0, 0, 0)), contains_text("parameter 'a': its shape has no elements"));
  CHECK_THROWS_WITH(set.add({.name = "a", .shape = {1, 1}}), contains_text("parameter 'a': its data pointer is null"));
  CHECK_THROWS_WITH(set.add("a", Role::matrix, {3, 4}, std::span(memory).first(11)),
                    contains_text("parameter 'a': shape 3 x 4 needs 12 elements, got 11"));
  CHECK(set.empty());
}

TEST_CASE("two parameters share no name, memory or noise") {
  ParameterSet set;
  set.add(parameter("a", 10, 10, 7, 100));
  CHECK_THROWS_WITH(set.add(parameter("a", 50, 1, 8)), contains_text("'a': a parameter of that name is already there"));
  CHECK_THROWS_WITH(set.add(parameter("b", 19, 5, 8)), contains_text("'b': its memory overlaps that of 'a'"));
  CHECK_THROWS_WITH(set.add(parameter("b", 0, 11, 8)), contains_text("'b': its memory overlaps that of 'a'"));
  CHECK_THROWS_WITH(set.add(parameter("b", 50, 5, 7, 109)),
                    contains_text("'b': its noise stream 7 overlaps that of 'a'"));
  CHECK_THROWS_WITH(set.add(parameter("b", 50, 5, 7, 96)),
                    contains_text("'b': its noise stream 7 overlaps that of 'a'"));
  CHECK(set.size() == 1);
  // Neighbours, and another slice of the same tensor.
  CHECK_NOTHROW(set.add(parameter("b", 0, 10, 8)));
  CHECK_NOTHROW(set.add(parameter("c", 20, 10, 7, 110)));
  CHECK_NOTHROW(set.add(parameter("d", 30, 10, 7, 90)));
}

TEST_CASE("roles and element types have names and sizes") {
  CHECK(to_string(Role::matrix) == "matrix");
  CHECK(to_string(Role::vector) == "vector");
  CHECK(to_string(Role::embedding) == "embedding");
  CHECK(to_string(Role::head) == "head");
  CHECK(to_string(DataType::f32) == "f32");
  CHECK(to_string(DataType::bf16) == "bf16");
  CHECK(to_string(DataType::f16) == "f16");
  CHECK(size_of(DataType::f32) == 4);
  CHECK(size_of(DataType::bf16) == 2);
  CHECK(size_of(DataType::f16) == 2);
}

}  // namespace
