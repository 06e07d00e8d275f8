// SPDX-License-Identifier: MIT
#include <zeroth/mask/magnitude.hpp>

#include <algorithm>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

namespace {

using zeroth::Coverage;
using zeroth::LargestMagnitude;
using zeroth::Role;
using zeroth::Scope;
using zeroth::SmallestMagnitude;
using zeroth_test::active;
using zeroth_test::prepare;
using zeroth_test::Tensors;

std::vector<float> const ten = {0.5F, -0.1F, 0.9F, -0.3F, 0.2F, 0.8F, -0.7F, 0.4F, -1.0F, 0.6F};

TEST_CASE("the k smallest magnitudes are active, k = ceil((1 - s) n)") {
  Tensors tensors;
  tensors.add("w", ten);
  auto mask = [&](double sparsity) {
    return active(prepare(SmallestMagnitude{sparsity}, tensors.parameters), tensors.parameters, 0);
  };
  CHECK(mask(0.0) == "1111111111");
  CHECK(mask(0.5) == "1101100100");
  CHECK(mask(0.7) == "0101100000");
  CHECK(mask(0.75) == "0101100000");
  CHECK(mask(0.8) == "0100100000");
  CHECK(mask(0.9) == "0100000000");
  CHECK(mask(0.999) == "0100000000");
}

TEST_CASE("the k largest magnitudes are the opposite") {
  Tensors tensors;
  tensors.add("w", ten);
  auto mask = [&](double sparsity) {
    return active(prepare(LargestMagnitude{sparsity}, tensors.parameters), tensors.parameters, 0);
  };
  CHECK(mask(0.0) == "1111111111");
  CHECK(mask(0.5) == "0010011011");
  CHECK(mask(0.7) == "0010010010");
  CHECK(mask(0.9) == "0000000010");
}

TEST_CASE("k is the exact share for every tenth and every size") {
  for (std::uint64_t n : {10U, 70U, 1000U, 12340U}) {
    std::vector<float> weights(n);
    for (std::uint64_t i = 0; i < n; ++i) weights[i] = static_cast<float>(i + 1);
    Tensors tensors;
    tensors.add("w", weights);
    for (unsigned tenths = 0; tenths < 10; ++tenths) {
      auto const state = prepare(SmallestMagnitude{tenths / 10.0}, tensors.parameters);
      CHECK(static_cast<std::uint64_t>(state.threshold(0)) == n * (10 - tenths) / 10);
    }
  }
}

TEST_CASE("weights that tie with the k-th are active too") {
  Tensors tensors;
  tensors.add("w", {1.0F, -2.0F, 2.0F, 2.0F, -3.0F, 4.0F, 5.0F, 6.0F});
  CHECK(active(prepare(SmallestMagnitude{0.75}, tensors.parameters), tensors.parameters, 0) == "11110000");
  CHECK(active(prepare(LargestMagnitude{0.25}, tensors.parameters), tensors.parameters, 0) == "01111111");
}

TEST_CASE("zeros are the smallest whatever their sign, NaN the largest") {
  float const not_a_number = std::numeric_limits<float>::quiet_NaN();
  float const infinity = std::numeric_limits<float>::infinity();
  Tensors tensors;
  tensors.add("w", {0.0F, -0.0F, not_a_number, -infinity});
  CHECK(active(prepare(SmallestMagnitude{0.75}, tensors.parameters), tensors.parameters, 0) == "1100");
  CHECK(active(prepare(SmallestMagnitude{0.25}, tensors.parameters), tensors.parameters, 0) == "1101");
  CHECK(active(prepare(LargestMagnitude{0.75}, tensors.parameters), tensors.parameters, 0) == "0010");
}

TEST_CASE("vectors are dense or not tuned, whatever the sparsity") {
  Tensors tensors;
  tensors.add("norm", Role::vector, {5.0F, 0.0F});
  tensors.add("w", ten);
  tensors.add("embedding", Role::embedding, {1.0F, 2.0F});
  SmallestMagnitude policy{0.5};
  auto const dense = prepare(policy, tensors.parameters);
  CHECK(dense.tensor(0, 0).coverage == Coverage::all);
  CHECK(active(dense, tensors.parameters, 0) == "11");
  CHECK(active(dense, tensors.parameters, 1) == "1101100100");
  CHECK(active(dense, tensors.parameters, 2) == "10");
  policy.vectors = Coverage::none;
  CHECK(active(prepare(policy, tensors.parameters), tensors.parameters, 0) == "00");
}

TEST_CASE("the share is counted within a tensor, a layer or all of them") {
  Tensors tensors;
  tensors.add("blk.0.a", {1.0F, 2.0F});
  tensors.add("blk.1.a", {10.0F, 20.0F});
  tensors.add("blk.0.b", {3.0F, 4.0F});
  tensors.add("blk.1.norm", Role::vector, {0.0F, 0.0F, 0.0F, 0.0F});
  tensors.add("blk.1.b", {30.0F, 5.0F});
  auto masks = [&](Scope scope) {
    auto const state = prepare(SmallestMagnitude{.sparsity = 0.5, .scope = scope}, tensors.parameters);
    std::string text;
    for (std::size_t i : {0U, 1U, 2U, 4U}) text += active(state, tensors.parameters, i) + " ";
    return text;
  };
  CHECK(masks(Scope::tensor) == "10 10 10 01 ");
  CHECK(masks(Scope::layer) == "11 10 00 01 ");
  CHECK(masks(Scope::global) == "11 00 11 00 ");
}

TEST_CASE("a layer is the name up to its first number") {
  using zeroth::layer_of;
  CHECK(layer_of("blk.3.attn_q.weight") == "blk.3.");
  CHECK(layer_of("blk.31.attn_q.weight") == "blk.31.");
  CHECK(layer_of("model.layers.0.mlp.experts.7.up") == "model.layers.0.");
  CHECK(layer_of("blk.3") == "blk.3.");
  CHECK(layer_of("token_embd.weight") == "token_embd.weight");
  CHECK(layer_of("q8.proj") == "q8.proj");
  CHECK(layer_of("") == "");
}

TEST_CASE("thresholds stay as they were, or are refreshed every n steps from the weights as they stand") {
  Tensors tensors;
  std::vector<float>& w = tensors.add("w", {1.0F, 2.0F, 3.0F, 4.0F});
  auto fixed = prepare(SmallestMagnitude{0.5}, tensors.parameters);
  auto refreshed = prepare(SmallestMagnitude{.sparsity = 0.5, .refresh_every = 3}, tensors.parameters);
  w = {10.0F, 20.0F, 30.0F, 40.0F};
  for (std::uint32_t step = 0; step <= 7; ++step) {
    if (step == 5) w = {100.0F, 200.0F, 300.0F, 400.0F};
    zeroth_test::begin_step(fixed, tensors.parameters, step);
    zeroth_test::begin_step(refreshed, tensors.parameters, step);
    CHECK(fixed.threshold(0) == 2.0F);
    CHECK(refreshed.threshold(0) == (step < 3 ? 2.0F : step < 6 ? 20.0F : 200.0F));
  }
}

TEST_CASE("the mask follows the weights, so one that grows past the threshold drops out") {
  Tensors tensors;
  std::vector<float>& w = tensors.add("w", {1.0F, 2.0F, 3.0F, 4.0F});
  auto const state = prepare(SmallestMagnitude{0.5}, tensors.parameters);
  CHECK(active(state, tensors.parameters, 0) == "1100");
  w[0] = -2.5F;
  w[3] = 0.0F;
  CHECK(active(state, tensors.parameters, 0) == "0101");
}

TEST_CASE("a tensor of zeros has no magnitudes to tell apart: it is tuned densely and counts in no wider scope") {
  Tensors tensors;
  tensors.add("blk.0.a", ten);
  std::vector<float>& b = tensors.add("blk.0.b", std::vector<float>(8, 0.0F));
  b[3] = -0.0F;
  tensors.add("blk.0.pruned", {0.0F, 0.0F, 0.0F, 5.0F});
  auto state = prepare(SmallestMagnitude{.sparsity = 0.75, .refresh_every = 2}, tensors.parameters);
  CHECK(active(state, tensors.parameters, 0) == "0101100000");
  CHECK(state.tensor(1, 0).coverage == Coverage::all);
  CHECK(active(state, tensors.parameters, 2) == "1110");
  b = {1.0F, -2.0F, 3.0F, 4.0F, 5.0F, 6.0F, 7.0F, 8.0F};
  CHECK(active(state, tensors.parameters, 1) == "11111111");
  zeroth_test::begin_step(state, tensors.parameters, 2);
  CHECK(active(state, tensors.parameters, 1) == "11000000");
  std::fill(b.begin(), b.end(), 0.0F);
  zeroth_test::begin_step(state, tensors.parameters, 4);
  CHECK(active(state, tensors.parameters, 1) == "11111111");
  CHECK(active(prepare(LargestMagnitude{0.75}, tensors.parameters), tensors.parameters, 1) == "11111111");

  // Of the 14 weights of the others, ceil(3.5) = 4 are active: three zeros and 0.1.
  for (Scope scope : {Scope::layer, Scope::global}) {
    auto const wide = prepare(SmallestMagnitude{.sparsity = 0.75, .scope = scope}, tensors.parameters);
    CHECK(active(wide, tensors.parameters, 0) == "0100000000");
    CHECK(active(wide, tensors.parameters, 1) == "11111111");
    CHECK(active(wide, tensors.parameters, 2) == "1110");
  }
}

TEST_CASE("a sparsity outside its range and a threshold for vectors are rejected by name") {
  Tensors tensors;
  tensors.add("w", ten);
  for (double sparsity : {-0.1, 1.0, 1.5, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_WITH(prepare(SmallestMagnitude{sparsity}, tensors.parameters),
                      zeroth_test::contains_text("sparsity must be in [0, 1), got "));
  CHECK_THROWS_WITH(prepare(LargestMagnitude{.vectors = Coverage::some}, tensors.parameters),
                    zeroth_test::contains_text("vectors must be Coverage::all or Coverage::none"));
}

TEST_CASE("a scope and a treatment of vectors that are not one of their enums' are rejected by name") {
  Tensors tensors;
  tensors.add("w", ten);
  CHECK_THROWS_WITH(prepare(SmallestMagnitude{.scope = static_cast<Scope>(3)}, tensors.parameters),
                    "scope must be one of the 3 choices of its enum, got number 3");
  CHECK_THROWS_WITH(prepare(SmallestMagnitude{.vectors = static_cast<Coverage>(3)}, tensors.parameters),
                    "vectors must be one of the 3 choices of its enum, got number 3");
}

}  // namespace
