// SPDX-License-Identifier: MIT
#include <zeroth/mask/combine.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/mask/filter.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/mask/mask.hpp>
#include <zeroth/mask/random_mask.hpp>
#include <zeroth/mask/stored.hpp>

#include <string_view>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

namespace {

using zeroth::MaskPolicy;
using zeroth_test::active;
using zeroth_test::prepare;
using zeroth_test::Tensors;

/// The example in the documentation of MaskPolicy.
struct KeepZeros {
  bool operator()(float theta, std::uint64_t) const { return theta != 0; }
  static constexpr std::string_view name() { return "keep-zeros"; }
  bool operator==(KeepZeros const&) const = default;
};

struct Nameless {
  bool operator()(float, std::uint64_t) const { return true; }
  bool operator==(Nameless const&) const = default;
};
struct Incomparable {
  bool operator()(float, std::uint64_t) const { return true; }
  static constexpr std::string_view name() { return "incomparable"; }
};
struct ReturnsInt {
  int operator()(float, std::uint64_t) const { return 1; }
  static constexpr std::string_view name() { return "returns-int"; }
  bool operator==(ReturnsInt const&) const = default;
};
struct PreparesNothing {
  int prepare(zeroth::ParameterSet const&, zeroth::WeightReader const&) const { return 1; }
  static constexpr std::string_view name() { return "prepares-nothing"; }
  bool operator==(PreparesNothing const&) const = default;
};

TEST_CASE("the concept MaskPolicy accepts what it documents and nothing less") {
  STATIC_REQUIRE(MaskPolicy<zeroth::Dense>);
  STATIC_REQUIRE(MaskPolicy<zeroth::SmallestMagnitude>);
  STATIC_REQUIRE(MaskPolicy<zeroth::LargestMagnitude>);
  STATIC_REQUIRE(MaskPolicy<zeroth::RandomMask>);
  STATIC_REQUIRE(MaskPolicy<zeroth::StoredMask>);
  STATIC_REQUIRE(MaskPolicy<zeroth::Filtered<zeroth::SmallestMagnitude>>);
  STATIC_REQUIRE(MaskPolicy<KeepZeros>);
  STATIC_REQUIRE(MaskPolicy<zeroth::Filtered<KeepZeros>>);
  STATIC_REQUIRE_FALSE(MaskPolicy<Nameless>);
  STATIC_REQUIRE_FALSE(MaskPolicy<Incomparable>);
  STATIC_REQUIRE_FALSE(MaskPolicy<ReturnsInt>);
  STATIC_REQUIRE_FALSE(MaskPolicy<PreparesNothing>);
}

TEST_CASE("a rule depends on the weights unless it says otherwise") {
  STATIC_REQUIRE(zeroth::depends_on_weights<KeepZeros>);
  STATIC_REQUIRE(zeroth::depends_on_weights<zeroth::MagnitudeRule<true>>);
  STATIC_REQUIRE_FALSE(zeroth::depends_on_weights<zeroth::RandomRule>);
  STATIC_REQUIRE_FALSE(zeroth::depends_on_weights<zeroth::BitmapRule>);
  STATIC_REQUIRE_FALSE(zeroth::depends_on_weights<zeroth::Dense::Rule>);
}

TEST_CASE("a policy that is a rule itself holds for every tensor") {
  Tensors tensors;
  tensors.add("w", {1.0F, 0.0F, -0.0F, -2.0F});
  tensors.add("norm", zeroth::Role::vector, {0.0F, 3.0F});
  auto const state = prepare(KeepZeros{}, tensors.parameters);
  CHECK(active(state, tensors.parameters, 0) == "1001");
  CHECK(active(state, tensors.parameters, 1) == "01");
}

TEST_CASE("the dense mask is all of every tensor") {
  Tensors tensors;
  tensors.add("w", {1.0F, 0.0F});
  auto const state = prepare(zeroth::Dense{}, tensors.parameters);
  CHECK(state.tensor(0, 0).coverage == zeroth::Coverage::all);
  CHECK(active(state, tensors.parameters, 0) == "11");
}

TEST_CASE("coverage comes before the rule") {
  using Mask = zeroth::TensorMask<KeepZeros>;
  CHECK(Mask{zeroth::Coverage::all, {}}(0.0F, 0));
  CHECK_FALSE(Mask{zeroth::Coverage::none, {}}(1.0F, 0));
  CHECK(Mask{zeroth::Coverage::some, {}}(1.0F, 0));
  CHECK_FALSE(Mask{zeroth::Coverage::some, {}}(0.0F, 0));
}

}  // namespace
