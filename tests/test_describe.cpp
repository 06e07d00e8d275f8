// SPDX-License-Identifier: MIT
#include <zeroth/describe.hpp>

#include <set>
#include <string>
#include <string_view>

#include <zeroth/estimator/any_estimator.hpp>
#include <zeroth/estimator/estimator.hpp>
#include <zeroth/mask/combine.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/mask/filter.hpp>
#include <zeroth/mask/magnitude.hpp>
#include <zeroth/mask/random_mask.hpp>
#include <zeroth/mask/stored.hpp>
#include <zeroth/sampler/gaussian.hpp>
#include <zeroth/update/adam.hpp>
#include <zeroth/update/momentum.hpp>
#include <zeroth/update/sgd.hpp>
#include <zeroth/update/sign_sgd.hpp>

#include "catch.hpp"

namespace {

using zeroth::Coverage;
using zeroth::describe;
using zeroth::Filtered;
using zeroth::RandomMask;
using zeroth::Scope;
using zeroth::SmallestMagnitude;
using zeroth::StoredMask;
using zeroth::TensorFilter;

struct KeepZeros {
  bool operator()(float theta, std::uint64_t) const { return theta != 0; }
  static constexpr std::string_view name() { return "keep-zeros"; }
  bool operator==(KeepZeros const&) const = default;
};

TEST_CASE("a policy is described by its name and all of its settings") {
  CHECK(describe(KeepZeros{}) == "keep-zeros");
  CHECK(describe(zeroth::Gaussian{}) == "gaussian");
  CHECK(describe(zeroth::Dense{}) == "dense");
  CHECK(describe(zeroth::CentralDifference{}) == "central-difference");
  CHECK(describe(zeroth::Sgd{0.1}) == "sgd(weight_decay=0.1)");
  CHECK(describe(zeroth::SignSgd{}) == "sign-sgd(weight_decay=0)");
  CHECK(describe(zeroth::Momentum{}) == "momentum(beta=0.9, weight_decay=0)");
  CHECK(describe(zeroth::Adam{}) == "adam(beta_1=0.9, beta_2=0.999, epsilon=1e-08, weight_decay=0)");
  CHECK(describe(zeroth::AdaMm{}) == "adamm(beta_1=0.9, beta_2=0.999, epsilon=1e-08, weight_decay=0)");
  CHECK(describe(zeroth::AnyEstimator(zeroth::OneSided{})) == "one-sided");
  CHECK(describe(SmallestMagnitude{}) ==
        "smallest-magnitude(sparsity=0.75, scope=tensor, vectors=all, refresh_every=0)");
  CHECK(describe(RandomMask{0.5, 3}) == "random(sparsity=0.5, seed=3, vectors=all, redraw_every=0)");
  CHECK(describe(both(KeepZeros{}, zeroth::Dense{})) == "both(keep-zeros, dense)");
  CHECK(describe(Filtered{KeepZeros{}, TensorFilter{.include = {"a.*", "b"}, .exclude_roles = {zeroth::Role::head}}}) ==
        "filtered(keep-zeros, include=[a.*, b], exclude=[], exclude_roles=[head])");
}

TEST_CASE("policies that differ in one setting have different descriptions") {
  std::set<std::string> found;
  std::size_t described = 0;
  auto add = [&](auto const& policy) {
    ++described;
    found.insert(describe(policy));
  };
  add(SmallestMagnitude{});
  add(zeroth::LargestMagnitude{});
  add(SmallestMagnitude{.sparsity = 0.7500000000000001});
  add(SmallestMagnitude{.scope = Scope::layer});
  add(SmallestMagnitude{.scope = Scope::global});
  add(SmallestMagnitude{.vectors = Coverage::none});
  add(SmallestMagnitude{.refresh_every = 1});
  add(RandomMask{});
  add(RandomMask{.sparsity = 0.5});
  add(RandomMask{.seed = 1});
  add(RandomMask{.vectors = Coverage::some});
  add(RandomMask{.redraw_every = 1});
  add(both(SmallestMagnitude{}, RandomMask{}));
  add(either(SmallestMagnitude{}, RandomMask{}));
  add(both(SmallestMagnitude{}, RandomMask{.seed = 1}));
  add(Filtered{SmallestMagnitude{}, TensorFilter{}});
  add(Filtered{SmallestMagnitude{}, TensorFilter{.include = {"*"}}});
  add(Filtered{SmallestMagnitude{}, TensorFilter{.exclude = {"*"}}});
  add(Filtered{SmallestMagnitude{0.5}, TensorFilter{.exclude = {"*"}}});
  add(zeroth::Sgd{});
  add(zeroth::Sgd{1e-300});
  add(zeroth::SignSgd{});
  add(StoredMask{});
  add(StoredMask{{{"a", {1}}}});
  add(StoredMask{{{"b", {1}}}});
  add(StoredMask{{{"a", {1, 0}}}});
  add(StoredMask{{{"a", {0, 1}}}});
  add(StoredMask{{{"a", {1}}, {"b", {1}}}});
  CHECK(found.size() == described);
}

TEST_CASE("the order in which a stored mask names its tensors does not count") {
  CHECK(describe(StoredMask{{{"a", {1, 2}}, {"b", {3}}}}) == describe(StoredMask{{{"b", {3}}, {"a", {1, 2}}}}));
}

}  // namespace
