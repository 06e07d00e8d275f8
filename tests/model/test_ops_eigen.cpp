// SPDX-License-Identifier: MIT
#include "catch.hpp"
#include "ops_support.hpp"
#include "zeroth_model/ops/eigen.hpp"

using namespace zeroth_test;

namespace {

auto const eigen = [](zeroth::AnyExecutor executor) { return zeroth::model::EigenOps(executor); };

}  // namespace

TEST_CASE("Eigen's set gives the golden log-probabilities of Hugging Face transformers") {
  check_golden(eigen, 1e-4);
}

TEST_CASE("each lane of a probe through Eigen's set is plain inference on perturbed weights, to the bit") {
  check_lanes(eigen);
}

TEST_CASE("Eigen's set gives the same bits whatever the executor does") {
  check_executors(eigen);
}

TEST_CASE("Eigen's set agrees with the vector code on continuations of a shared prompt") {
  check_continuations(eigen, 1e-4);
}
