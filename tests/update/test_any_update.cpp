// SPDX-License-Identifier: MIT
#include <zeroth/update/any_update.hpp>

#include <cstdint>
#include <utility>
#include <vector>

#include <zeroth/backend/reference.hpp>
#include <zeroth/mask/dense.hpp>
#include <zeroth/optimizer.hpp>
#include <zeroth/sampler/gaussian.hpp>

#include "catch.hpp"
#include "objectives.hpp"
#include "tensors.hpp"

namespace {

using zeroth::AnyUpdate;
using zeroth::ConservativeSgd;
using zeroth::Sgd;
using zeroth::SignSgd;

double loss(std::span<float const> theta) {
  double sum = 0;
  for (float t : theta) sum += (double{t} - 0.01) * (double{t} - 0.01);
  return sum;
}

/// The weights after some steps, and how many of them were skipped.
template <class U>
std::pair<std::vector<std::uint32_t>, int> after_steps(U update) {
  zeroth_test::Tensors tensors;
  tensors.add("w", zeroth_test::normal_weights(200, 1));
  zeroth::ZerothOrderOptimizer optimizer(tensors.parameters, zeroth::Gaussian{}, zeroth::Dense{},
                                         zeroth::ReferenceBackend{}, update,
                                         {.learning_rate = 5e-3, .samples = 1, .seed = 2});
  int skipped = 0;
  for (int i = 0; i < 20; ++i)
    skipped += optimizer.step(zeroth_test::fused(tensors.parameters, loss)).skipped() ? 1 : 0;
  return {zeroth_test::bits(tensors.all()), skipped};
}

TEST_CASE("an update that is chosen at run time takes the steps of the one chosen") {
  STATIC_REQUIRE(zeroth::Update<AnyUpdate>);
  CHECK(after_steps(AnyUpdate()) == after_steps(Sgd{}));
  CHECK(after_steps(AnyUpdate(Sgd{0.5})) == after_steps(Sgd{0.5}));
  CHECK(after_steps(AnyUpdate(SignSgd{0.5})) == after_steps(SignSgd{0.5}));
  auto const conservative = after_steps(ConservativeSgd{{0.5}});
  CHECK(after_steps(AnyUpdate(ConservativeSgd{{0.5}})) == conservative);
  CHECK(conservative.second > 0);
  CHECK(AnyUpdate(SignSgd{}).name() == "sign-sgd");
  CHECK(AnyUpdate(SignSgd{}) != AnyUpdate(Sgd{}));
  CHECK(AnyUpdate(Sgd{0.5}) != AnyUpdate(Sgd{}));
  CHECK_THROWS_WITH(AnyUpdate(Sgd{2}).check(), zeroth_test::contains_text("weight_decay must be in [0, 1], got 2"));
}

}  // namespace
