// SPDX-License-Identifier: MIT
#include <zeroth/mask/random_mask.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "catch.hpp"
#include "known_answers.hpp"
#include "support.hpp"

namespace {

using zeroth::Coverage;
using zeroth::RandomMask;
using zeroth_test::active;
using zeroth_test::prepare;
using zeroth_test::Tensors;

constexpr std::size_t count = 1 << 16;

double share(std::string const& mask) {
  return static_cast<double>(std::count(mask.begin(), mask.end(), '1')) / static_cast<double>(mask.size());
}

TEST_CASE("the random mask has the known bits") {
  int read = 0;
  for (zeroth_test::KnownAnswer line : zeroth_test::known_answers("mask.txt")) {
    auto const seed = line.hex<std::uint64_t>();
    auto const stream = line.hex<std::uint32_t>();
    auto const draw = line.hex<std::uint32_t>();
    auto const limit = line.hex<std::uint32_t>();
    auto const tile = line.hex<std::uint64_t>();
    std::uint64_t const words[] = {line.hex<std::uint64_t>(), line.hex<std::uint64_t>()};
    INFO(line.text());
    zeroth::RandomRule const rule{{seed, draw, stream, 0, zeroth::Purpose::mask}, limit};
    for (unsigned e = 0; e < zeroth::tile_size; ++e)
      if (rule(0, tile * zeroth::tile_size + e) != ((words[e / 64] >> (e % 64) & 1U) != 0)) FAIL_CHECK("element " << e);
    ++read;
  }
  CHECK(read == 20);
}

TEST_CASE("the random mask picks its share") {
  Tensors tensors;
  tensors.add("w", std::vector<float>(count));
  for (double sparsity : {0.0, 0.25, 0.75, 0.99}) {
    std::string const mask = active(prepare(RandomMask{sparsity, 3}, tensors.parameters), tensors.parameters, 0);
    // Five standard errors of a share of 65536 draws; none at sparsity 0, where every weight is active.
    CHECK(std::abs(share(mask) - (1 - sparsity)) <= 5 * std::sqrt(sparsity * (1 - sparsity) / count));
  }
}

TEST_CASE("the random mask depends on its seed and the tensor's stream, not on the weights") {
  Tensors tensors;
  std::vector<float>& w = tensors.add("w", std::vector<float>(count, 1.0F));
  tensors.add("v", std::vector<float>(count, 1.0F));
  auto const state = prepare(RandomMask{0.5, 3}, tensors.parameters);
  std::string const mask = active(state, tensors.parameters, 0);
  std::fill(w.begin(), w.end(), -7.0F);
  CHECK(active(state, tensors.parameters, 0) == mask);

  auto agreement = [&](std::string const& other) {
    std::size_t same = 0;
    for (std::size_t i = 0; i < count; ++i) same += mask[i] == other[i] ? 1U : 0U;
    return static_cast<double>(same) / count;
  };
  // Independent halves agree in half of the places; the bound is five standard errors.
  double const bound = 5 * 0.5 / std::sqrt(static_cast<double>(count));
  CHECK(std::abs(agreement(active(state, tensors.parameters, 1)) - 0.5) < bound);
  CHECK(std::abs(agreement(active(prepare(RandomMask{0.5, 4}, tensors.parameters), tensors.parameters, 0)) - 0.5) <
        bound);
}

TEST_CASE("the random mask stays, or is drawn anew every n steps") {
  Tensors tensors;
  tensors.add("w", std::vector<float>(1000));
  auto const constant = prepare(RandomMask{0.5, 3}, tensors.parameters);
  CHECK(active(constant, tensors.parameters, 0, 0) == active(constant, tensors.parameters, 0, 1'000'000));

  auto const redrawn = prepare(RandomMask{.sparsity = 0.5, .seed = 3, .redraw_every = 10}, tensors.parameters);
  CHECK(active(redrawn, tensors.parameters, 0, 0) == active(redrawn, tensors.parameters, 0, 9));
  CHECK(active(redrawn, tensors.parameters, 0, 9) != active(redrawn, tensors.parameters, 0, 10));
  CHECK(active(redrawn, tensors.parameters, 0, 10) == active(redrawn, tensors.parameters, 0, 19));
}

TEST_CASE("the random mask thins vectors only on request") {
  Tensors tensors;
  tensors.add("norm", zeroth::Role::vector, std::vector<float>(1000));
  auto vector_share = [&](Coverage vectors) {
    return share(
        active(prepare(RandomMask{.sparsity = 0.5, .vectors = vectors}, tensors.parameters), tensors.parameters, 0));
  };
  CHECK(vector_share(Coverage::all) == 1);
  CHECK(vector_share(Coverage::none) == 0);
  CHECK(std::abs(vector_share(Coverage::some) - 0.5) < 0.1);
}

TEST_CASE("the random mask rejects a sparsity outside its range") {
  Tensors tensors;
  tensors.add("w", {1.0F});
  for (double sparsity : {-0.5, 1.0})
    CHECK_THROWS_WITH(prepare(RandomMask{sparsity}, tensors.parameters),
                      zeroth_test::contains_text("sparsity must be in [0, 1), got "));
}

TEST_CASE("the random mask rejects a treatment of vectors that is not one of the enum's") {
  zeroth_test::Tensors tensors;
  tensors.add("w", std::vector<float>(4));
  CHECK_THROWS_WITH(
      zeroth_test::prepare(zeroth::RandomMask{.vectors = static_cast<zeroth::Coverage>(3)}, tensors.parameters),
      "vectors must be one of the 3 choices of its enum, got number 3");
}

}  // namespace
