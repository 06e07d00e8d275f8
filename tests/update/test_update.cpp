// SPDX-License-Identifier: MIT
#include <zeroth/update/sgd.hpp>
#include <zeroth/update/sign_sgd.hpp>
#include <zeroth/update/update.hpp>

#include <limits>
#include <string_view>
#include <vector>

#include "catch.hpp"

namespace {

using zeroth::Sgd;
using zeroth::SignSgd;

struct Uncheckable {
  void coefficients(std::span<double const>, double, std::span<float>) const {}
  double decay(double) const { return 0; }
  static constexpr std::string_view name() { return "uncheckable"; }
  bool operator==(Uncheckable const&) const = default;
};

TEST_CASE("the concept Update accepts what it documents and nothing less") {
  STATIC_REQUIRE(zeroth::Update<Sgd>);
  STATIC_REQUIRE_FALSE(zeroth::Update<SignSgd>);
  STATIC_REQUIRE_FALSE(zeroth::Update<Uncheckable>);
}

TEMPLATE_TEST_CASE("a coefficient is -learning_rate g / n, rounded once", "", Sgd, SignSgd) {
  std::vector<double> const g = {0.1, -2.0, 0.0};
  std::vector<float> c(3);
  TestType{}.coefficients(g, 1e-6, c);
  CHECK(c[0] == static_cast<float>(-1e-6 * 0.1 / 3));
  CHECK(c[1] == static_cast<float>(-1e-6 * -2.0 / 3));
  CHECK(c[2] == 0);
}

TEMPLATE_TEST_CASE("decay is the learning rate's share of weight_decay", "", Sgd, SignSgd) {
  CHECK(TestType{}.decay(0.5) == 0);
  CHECK(TestType{0.25}.decay(0.5) == 0.125);
}

TEMPLATE_TEST_CASE("a weight_decay outside its range is rejected by name", "", Sgd, SignSgd) {
  CHECK_NOTHROW(TestType{0}.check());
  CHECK_NOTHROW(TestType{1}.check());
  for (double decay : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_WITH(TestType{decay}.check(), zeroth_test::contains_text("weight_decay must be in [0, 1], got "));
}

TEST_CASE("the sign moves a weight by the step size, up, down or not at all") {
  zeroth::SignRule const rule = SignSgd{}.rule(0.25F, 1);
  CHECK(rule(2, 1e-30F) == 2.25F);
  CHECK(rule(2, -3) == 1.75F);
  CHECK(rule(2, 0) == 2);
  CHECK(rule(2, -0.0F) == 2);
  CHECK(rule(2, std::numeric_limits<float>::quiet_NaN()) == 2);
}

TEST_CASE("updates know their names") {
  CHECK(Sgd::name() == "sgd");
  CHECK(SignSgd::name() == "sign-sgd");
}

}  // namespace
