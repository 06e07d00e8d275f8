// SPDX-License-Identifier: MIT
#include <zeroth/mask/stored.hpp>

#include <vector>

#include "catch.hpp"
#include "support.hpp"

namespace {

using zeroth::StoredMask;
using zeroth_test::active;
using zeroth_test::contains_text;
using zeroth_test::prepare;
using zeroth_test::Tensors;

TEST_CASE("a stored mask is the bits that were given, and a tensor without any is not tuned") {
  Tensors tensors;
  tensors.add("a", {1.0F, 2.0F, 3.0F, 4.0F});
  tensors.add("b", {1.0F, 2.0F});
  auto const state = prepare(StoredMask{{{"a", {0b1010}}}}, tensors.parameters);
  CHECK(active(state, tensors.parameters, 0) == "0101");
  CHECK(state.tensor(1, 0).coverage == zeroth::Coverage::none);
}

TEST_CASE("the bits of a stored mask count from the first element of a slice") {
  std::vector<float> memory(70);
  for (std::uint64_t offset : {0U, 1U, 63U, 100U, 127U, 128U, 1000U}) {
    zeroth::ParameterSet parameters;
    parameters.add({"slice", zeroth::Role::matrix, {7, 10}, zeroth::DataType::f32, memory.data(), 1, offset});
    auto const state = prepare(StoredMask{{{"slice", {0x8000000000000001U, 0b100001}}}}, parameters);
    std::string const mask = active(state, parameters, 0);
    for (std::size_t i = 0; i < 70; ++i) CHECK((mask[i] == '1') == (i == 0 || i == 63 || i == 64 || i == 69));
  }
}

TEST_CASE("a stored mask that does not fit the parameters is rejected") {
  Tensors tensors;
  tensors.add("a", std::vector<float>(65));
  CHECK_THROWS_WITH(prepare(StoredMask{{{"b", {1, 1}}}}, tensors.parameters),
                    contains_text("no parameter is named 'b'"));
  CHECK_THROWS_WITH(prepare(StoredMask{{{"a", {1}}}}, tensors.parameters),
                    contains_text("parameter 'a' needs 2 words of 64 bits, got 1"));
  CHECK_THROWS_WITH(prepare(StoredMask{{{"a", {1, 1}}, {"a", {1, 1}}}}, tensors.parameters),
                    contains_text("parameter 'a' has two bitmaps"));
}

TEST_CASE("a bitmap covers the tiles that its tensor touches") {
  std::vector<float> memory(130);
  zeroth::Parameter const slice{"slice", zeroth::Role::matrix, {1, 130}, zeroth::DataType::f32, memory.data(), 0, 200};
  zeroth::Bitmap bitmap(slice);
  CHECK(bitmap.words().size() == 4);  // tiles 1 and 2: elements 128 to 383
  bitmap.set(200);
  bitmap.set(329);
  CHECK(bitmap.rule()(0, 200));
  CHECK(bitmap.rule()(0, 329));
  CHECK_FALSE(bitmap.rule()(0, 201));
  CHECK(bitmap.rule().tile(1).test(72));
  CHECK(bitmap.rule().tile(2).test(73));
  CHECK_FALSE(bitmap.rule().tile(2).test(72));
}

}  // namespace
