// SPDX-License-Identifier: MIT
#include <zeroth/mask/filter.hpp>
#include <zeroth/mask/magnitude.hpp>

#include <vector>

#include "catch.hpp"
#include "support.hpp"

namespace {

using zeroth::Filtered;
using zeroth::glob_match;
using zeroth::Role;
using zeroth::SmallestMagnitude;
using zeroth::TensorFilter;
using zeroth_test::active;
using zeroth_test::prepare;
using zeroth_test::Tensors;

TEST_CASE("globs match names") {
  struct Row {
    char const* glob;
    char const* name;
    bool matches;
  };
  Row const table[] = {{"", "", true},
                       {"", "a", false},
                       {"a", "", false},
                       {"abc", "abc", true},
                       {"abc", "abcd", false},
                       {"abc", "xabc", false},
                       {"*", "", true},
                       {"*", "anything.at.all", true},
                       {"**", "a", true},
                       {"a*", "a", true},
                       {"a*", "ba", false},
                       {"*.weight", "blk.0.attn_q.weight", true},
                       {"*.weight", "blk.0.attn_q.bias", false},
                       {"blk.*.attn_?.weight", "blk.12.attn_q.weight", true},
                       {"blk.*.attn_?.weight", "blk.12.attn_qk.weight", false},
                       {"?", "", false},
                       {"?", "a", true},
                       {"*a*b", "xaxbxaxb", true},
                       {"*a*b", "xaxbxaxbx", false},
                       {"*ab", "aab", true},
                       {"a*?", "a", false},
                       {"[a]", "a", false}};
  for (Row const& row : table) {
    INFO("'" << row.glob << "' and '" << row.name << "'");
    CHECK(glob_match(row.glob, row.name) == row.matches);
  }
}

TEST_CASE("a filter picks by name and role") {
  Tensors tensors;
  tensors.add("blk.0.w", {1.0F});
  tensors.add("blk.0.norm", Role::vector, {1.0F});
  tensors.add("token_embd", Role::embedding, {1.0F});
  auto picked = [&](TensorFilter const& filter) {
    std::string text;
    for (zeroth::Parameter const& p : tensors.parameters) text += filter(p) ? '1' : '0';
    return text;
  };
  CHECK(picked({}) == "111");
  CHECK(picked({.include = {"blk.*"}}) == "110");
  CHECK(picked({.include = {"*.w", "token*"}}) == "101");
  CHECK(picked({.include = {"blk.*"}, .exclude = {"*norm"}}) == "100");
  CHECK(picked({.exclude_roles = {Role::vector, Role::embedding}}) == "100");
}

TEST_CASE("a filtered policy does not touch the other tensors and does not count them") {
  Tensors tensors;
  tensors.add("left_out", {0.1F, 0.2F, 0.3F, 0.4F});
  tensors.add("a", {1.0F, 2.0F});
  tensors.add("norm", Role::vector, {0.0F});
  tensors.add("b", {3.0F, 4.0F});
  SmallestMagnitude const global{.sparsity = 0.5, .scope = zeroth::Scope::global};
  auto masks = [&](auto const& policy) {
    auto const state = prepare(policy, tensors.parameters);
    std::string text;
    for (std::size_t i = 0; i < tensors.parameters.size(); ++i) text += active(state, tensors.parameters, i) + " ";
    return text;
  };
  CHECK(masks(global) == "1111 00 1 00 ");
  CHECK(masks(Filtered{global, TensorFilter{.exclude = {"left_*"}}}) == "0000 11 1 00 ");
  CHECK(masks(Filtered{global, TensorFilter{.exclude = {"left_*"}, .exclude_roles = {Role::vector}}}) ==
        "0000 11 0 00 ");
  CHECK(masks(Filtered{global, TensorFilter{.include = {"nothing"}}}) == "0000 00 0 00 ");
}

TEST_CASE("a filtered policy refreshes from the tensors it kept") {
  Tensors tensors;
  tensors.add("left_out", {0.0F, 0.0F});
  std::vector<float>& w = tensors.add("w", {1.0F, 2.0F});
  SmallestMagnitude const policy{.sparsity = 0.5, .scope = zeroth::Scope::global, .refresh_every = 1};
  auto state = prepare(Filtered{policy, TensorFilter{.include = {"w"}}}, tensors.parameters);
  CHECK(active(state, tensors.parameters, 1) == "10");
  w = {40.0F, 30.0F};
  zeroth_test::begin_step(state, tensors.parameters, 1);
  CHECK(active(state, tensors.parameters, 1) == "01");
}

TEST_CASE("a filtered policy names its part") {
  CHECK(Filtered{SmallestMagnitude{}, TensorFilter{}}.name() == "filtered(smallest-magnitude)");
}

TEST_CASE("a filter refuses to exclude a role that is not one of the enum's") {
  zeroth_test::Tensors tensors;
  tensors.add("w", std::vector<float>(4));
  zeroth::Filtered const filtered{zeroth::Dense{},
                                  zeroth::TensorFilter{.exclude_roles = {static_cast<zeroth::Role>(4)}}};
  CHECK_THROWS_WITH(zeroth_test::prepare(filtered, tensors.parameters),
                    "filter: exclude_roles must be one of the 4 choices of its enum, got number 4");
}

}  // namespace
