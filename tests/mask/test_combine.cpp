// SPDX-License-Identifier: MIT
#include <zeroth/mask/combine.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/mask/random_mask.hpp>
#include <zeroth/mask/stored.hpp>

#include <string>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

namespace {

using zeroth::Coverage;
using zeroth::StoredMask;
using zeroth_test::active;
using zeroth_test::prepare;
using zeroth_test::Tensors;

/// Gives every tensor one coverage; where it is `some`, the even elements are active.
struct Covers {
  Coverage coverage = Coverage::all;

  struct Rule {
    bool operator()(float, std::uint64_t element) const { return element % 2 == 0; }
  };
  struct State {
    Coverage coverage;
    zeroth::TensorMask<Rule> tensor(std::size_t, std::uint32_t) const { return {coverage, {}}; }
  };
  State prepare(zeroth::ParameterSet const&, zeroth::WeightReader const&) const { return {coverage}; }
  static constexpr std::string_view name() { return "covers"; }
  bool operator==(Covers const&) const = default;
};

TEST_CASE("coverages combine as the masks do") {
  constexpr Coverage none = Coverage::none;
  constexpr Coverage some = Coverage::some;
  constexpr Coverage all = Coverage::all;
  struct Row {
    Coverage first, second, both, either;
  };
  Row const table[] = {{none, none, none, none}, {none, some, none, some}, {none, all, none, all},
                       {some, none, none, some}, {some, some, some, some}, {some, all, some, all},
                       {all, none, none, all},   {all, some, some, all},   {all, all, all, all}};
  Tensors tensors;
  tensors.add("w", {1.0F, 2.0F, 3.0F});
  auto text = [](Coverage c) { return std::string(c == none ? "000" : c == some ? "101" : "111"); };
  for (Row const& row : table) {
    auto const both = prepare(zeroth::both(Covers{row.first}, Covers{row.second}), tensors.parameters);
    auto const either = prepare(zeroth::either(Covers{row.first}, Covers{row.second}), tensors.parameters);
    CHECK(both.tensor(0, 0).coverage == row.both);
    CHECK(either.tensor(0, 0).coverage == row.either);
    CHECK(active(both, tensors.parameters, 0) == text(row.both));
    CHECK(active(either, tensors.parameters, 0) == text(row.either));
  }
}

TEST_CASE("both is the intersection of two masks, either their union") {
  Tensors tensors;
  tensors.add("w", {1.0F, 2.0F, 3.0F, 4.0F});
  zeroth::SmallestMagnitude const small{0.5};
  StoredMask const stored{{{"w", {0b0110}}}};
  CHECK(active(prepare(both(small, stored), tensors.parameters), tensors.parameters, 0) == "0100");
  CHECK(active(prepare(either(small, stored), tensors.parameters), tensors.parameters, 0) == "1110");
}

TEST_CASE("combined masks name both parts and refresh both") {
  zeroth::SmallestMagnitude const small{.sparsity = 0.5, .refresh_every = 1};
  auto const policy = both(zeroth::Dense{}, either(small, small));
  CHECK(policy.name() == "both(dense, either(smallest-magnitude, smallest-magnitude))");
  STATIC_REQUIRE(zeroth::MaskPolicy<decltype(policy)> == false);  // a const type is not regular
  STATIC_REQUIRE(zeroth::MaskPolicy<std::remove_const_t<decltype(policy)>>);

  Tensors tensors;
  std::vector<float>& w = tensors.add("w", {1.0F, 2.0F});
  auto state = prepare(policy, tensors.parameters);
  CHECK(active(state, tensors.parameters, 0) == "10");
  w = {40.0F, 30.0F};
  zeroth_test::begin_step(state, tensors.parameters, 1);
  CHECK(active(state, tensors.parameters, 0) == "01");
}

TEST_CASE("a combined rule looks at the weights if one of its parts does") {
  using Free = zeroth::RandomRule;
  using Bound = zeroth::MagnitudeRule<true>;
  constexpr auto how = zeroth::Combination::both;
  STATIC_REQUIRE_FALSE(zeroth::depends_on_weights<zeroth::CombinedRule<how, Free, Free>>);
  STATIC_REQUIRE(zeroth::depends_on_weights<zeroth::CombinedRule<how, Free, Bound>>);
  STATIC_REQUIRE(zeroth::depends_on_weights<zeroth::CombinedRule<how, Bound, Free>>);
}

}  // namespace
