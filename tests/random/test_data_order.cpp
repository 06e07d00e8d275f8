// SPDX-License-Identifier: MIT
#include <zeroth/random/data_order.hpp>

#include <cstdint>
#include <vector>

#include "catch.hpp"

namespace {

using zeroth::draw_example;

__extension__ using Uint128 = unsigned __int128;

TEST_CASE("draw_example is a pure function of all its arguments") {
  std::uint64_t const n = 1'000'000'007;
  std::uint64_t const drawn = draw_example(5, 6, 7, n);
  CHECK(draw_example(5, 6, 7, n) == drawn);
  CHECK(draw_example(4, 6, 7, n) != drawn);
  CHECK(draw_example(5, 5, 7, n) != drawn);
  CHECK(draw_example(5, 6, 6, n) != drawn);
}

TEST_CASE("draw_example is floor(u n) for 64 random bits u, for any n") {
  for (std::uint64_t n : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{1000}, std::uint64_t{1} << 32,
                          (std::uint64_t{1} << 63) - 1, (std::uint64_t{1} << 63) + 12345, ~std::uint64_t{0}})
    for (std::uint64_t position = 0; position < 200; ++position) {
      zeroth::RandomBlock const bits = zeroth::RandomSource{11, 3, 0, 0, zeroth::Purpose::data_order}.block(position);
      std::uint64_t const u = std::uint64_t{bits[1]} << 32 | bits[0];
      CHECK(draw_example(11, 3, position, n) == static_cast<std::uint64_t>(Uint128{u} * n >> 64));
    }
}

TEST_CASE("draw_example stays below n and is uniform") {
  constexpr std::uint64_t n = 100;
  constexpr std::uint32_t draws = 100'000;
  std::vector<double> counts(n, 0);
  for (std::uint32_t i = 0; i < draws; ++i) {
    std::uint64_t const example = draw_example(1, i / 16, i % 16, n);
    REQUIRE(example < n);
    counts[example] += 1;
  }
  double chi_square = 0;
  double const expected = static_cast<double>(draws) / n;
  for (double count : counts) chi_square += (count - expected) * (count - expected) / expected;
  // 99 degrees of freedom: mean 99, standard deviation 14; six of them in each direction.
  CHECK(chi_square > 99 - 6 * 14);
  CHECK(chi_square < 99 + 6 * 14);
}

TEST_CASE("draw_example refuses to draw from nothing") {
  CHECK(draw_example(1, 2, 3, 1) == 0);
  CHECK_THROWS_AS(draw_example(1, 2, 3, 0), zeroth::InvalidArgument);
}

TEST_CASE("a place in a batch where draws would repeat is rejected by range and value") {
  CHECK_NOTHROW(zeroth::draw_example(1, 0, (std::uint64_t{1} << 48) - 1, 10));
  CHECK_THROWS_WITH(zeroth::draw_example(1, 0, std::uint64_t{1} << 48, 10),
                    "draw_example: position must be below 2^48, got 281474976710656");
}

}  // namespace
