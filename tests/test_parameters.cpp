// SPDX-License-Identifier: MIT
#include <zeroth/parameters.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <zeroth/random/tile.hpp>

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

TEST_CASE("a parameter that cannot be tuned is rejected by name") {
  ParameterSet set;
  CHECK_THROWS_WITH(set.add(parameter("", 0, 1, 0)), contains_text("parameter 0: its name is empty"));
  CHECK_THROWS_WITH(set.add(parameter("a", 0, 0, 0)), contains_text("parameter 'a': its shape has no elements"));
  CHECK_THROWS_WITH(set.add({.name = "a", .shape = {1, 1}}), contains_text("parameter 'a': its data pointer is null"));
  CHECK_THROWS_WITH(set.add("a", Role::matrix, {3, 4}, std::span(memory).first(11)),
                    contains_text("parameter 'a': shape 3 x 4 needs 12 elements, got 11"));
  CHECK(set.empty());
}

/// An f32 parameter over memory that is never accessed.
Parameter of_shape(zeroth::Shape shape, std::uint64_t offset = 0) {
  return {"a", Role::matrix, shape, DataType::f32, memory.data(), 7, offset};
}

TEST_CASE("a shape whose elements fit no 64 bits, no stream of noise or no address space is rejected by name") {
  constexpr std::uint64_t one = 1;
  ParameterSet set;
  // Both products are 0 modulo 2^64, or the number of elements that the span has.
  CHECK_THROWS_WITH(set.add(of_shape({one << 32, one << 32})),
                    "parameter 'a': shape 4294967296 x 4294967296 must have fewer than 2^64 elements");
  CHECK_THROWS_WITH(set.add("a", Role::matrix, {(one << 63) + 6, 2}, std::span(memory).first(12)),
                    contains_text("parameter 'a': shape 9223372036854775814 x 2 must have fewer than 2^64 elements"));
  CHECK_THROWS_WITH(
      set.add(of_shape({one << 48, 2})),
      "parameter 'a': must end at or before element 2^48 of its tensor, where its noise would repeat, got "
      "shape 281474976710656 x 2 at offset 0");
  CHECK_THROWS_WITH(set.add(of_shape({1, 10}, (one << 48) - 9)),
                    contains_text("must end at or before element 2^48 of its tensor") &&
                        contains_text("got shape 1 x 10 at offset 281474976710647"));
  CHECK_THROWS_WITH(set.add(of_shape({1, 10}, ~std::uint64_t{0} - 5)),
                    contains_text("must end at or before element 2^48"));
  CHECK_NOTHROW(set.add(of_shape({1, 10}, (one << 48) - 10)));

  Parameter at_the_end = of_shape({1, 2});
  at_the_end.name = "b";
  at_the_end.data = reinterpret_cast<void*>(~std::uintptr_t{7});
  CHECK_THROWS_WITH(set.add(at_the_end), contains_text("parameter 'b': shape 1 x 2 of f32 from address 0x") &&
                                             contains_text("beyond the end of the address space"));
  CHECK(set.size() == 1);
}

TEST_CASE("noise does not repeat below the limit of a tensor's elements") {
  // Past 2^48 blocks the counter's other fields would change and give the noise of another sample.
  zeroth::RandomSource const source{1, 2, 3, 0, zeroth::Purpose::perturbation};
  zeroth::RandomSource const next_sample{1, 2, 3, 1, zeroth::Purpose::perturbation};
  CHECK(source.counter(zeroth::max_blocks) == next_sample.counter(0));
  CHECK(source.counter(zeroth::max_blocks - 1)[1] == 0xffffU);
  CHECK(zeroth::block_position<1>(zeroth::max_elements - 1).block < zeroth::max_blocks);
}

TEST_CASE("a role or type that is not one of the enum's is rejected by name") {
  ParameterSet set;
  Parameter p = parameter("a", 0, 4, 7);
  p.role = static_cast<Role>(4);
  CHECK_THROWS_WITH(set.add(p), "parameter 'a': role must be one of the 4 choices of its enum, got number 4");
  p.role = Role::head;
  p.dtype = static_cast<DataType>(3);
  CHECK_THROWS_WITH(set.add(p), "parameter 'a': dtype must be one of the 3 choices of its enum, got number 3");
  p.dtype = DataType::f16;
  CHECK_NOTHROW(set.add(p));
}

TEST_CASE("data that is not at a multiple of its type's size is rejected by name") {
  ParameterSet set;
  auto* const bytes = reinterpret_cast<std::byte*>(memory.data());
  Parameter p = parameter("a", 0, 4, 7);
  for (std::size_t shift : {1U, 2U, 3U}) {
    p.data = bytes + shift;
    CHECK_THROWS_WITH(set.add(p), contains_text("parameter 'a': its data must be at a multiple of 4 bytes, as f32") &&
                                      contains_text("got address 0x"));
  }
  p.dtype = DataType::bf16;
  p.data = bytes + 1;
  CHECK_THROWS_WITH(set.add(p), contains_text("must be at a multiple of 2 bytes, as bf16 needs"));
  p.data = bytes + 2;
  CHECK_NOTHROW(set.add(p));
}

TEST_CASE("a tied tensor is added once") {
  ParameterSet set;
  set.add("embedding", Role::embedding, {10, 4}, std::span(memory).first(40));
  CHECK_THROWS_WITH(set.add("head", Role::head, {10, 4}, std::span(memory).first(40)),
                    "parameter 'head': its memory overlaps that of 'embedding'; add a tied tensor once");
}

TEST_CASE("two parameters share no name, memory or noise") {
  ParameterSet set;
  set.add(parameter("a", 10, 10, 7, 100));
  CHECK_THROWS_WITH(set.add(parameter("a", 50, 1, 8)), contains_text("'a': another parameter already has this name"));
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
