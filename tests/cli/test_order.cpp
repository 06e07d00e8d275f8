// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

#include "../../cli/tasks/order.hpp"
#include "catch.hpp"

using namespace zeroth::cli;

using Indices = std::vector<std::uint32_t>;

TEST_CASE("a permutation holds each index once and follows only from seed and epoch") {
  Indices sorted = permutation(7, 3, 1000);
  CHECK(sorted == permutation(7, 3, 1000));
  CHECK(sorted != permutation(8, 3, 1000));
  CHECK(sorted != permutation(7, 4, 1000));
  std::sort(sorted.begin(), sorted.end());
  for (std::uint32_t i = 0; i < 1000; ++i) REQUIRE(sorted[i] == i);
  CHECK(permutation(0, 0, 0).empty());
  CHECK(permutation(0, 0, 1) == Indices{0});
}

TEST_CASE("every permutation of three is about equally likely") {
  std::vector<Indices> seen;
  for (std::uint32_t epoch = 0; epoch < 6000; ++epoch) seen.push_back(permutation(1, epoch, 3));
  for (Indices order{0, 1, 2};;) {
    auto const count = std::count(seen.begin(), seen.end(), order);
    CHECK(count > 850);  // 1000 expected, standard deviation 29
    CHECK(count < 1150);
    if (!std::next_permutation(order.begin(), order.end())) break;
  }
}

TEST_CASE("the batch of a step does not depend on earlier batches") {
  Indices const alone = batch_of_step(5, 40, 16, 1000);
  for (std::uint64_t step = 0; step < 40; ++step) (void)batch_of_step(5, step, 16, 1000);
  CHECK(batch_of_step(5, 40, 16, 1000) == alone);
  CHECK(batch_of_step(6, 40, 16, 1000) != alone);
}

TEST_CASE("batches go through all examples before one comes again, across ends of epochs too") {
  std::uint32_t const examples = 10;
  std::uint32_t const batch_size = 4;
  Indices drawn;
  for (std::uint64_t step = 0; step < 10; ++step)
    for (std::uint32_t i : batch_of_step(2, step, batch_size, examples)) drawn.push_back(i);
  REQUIRE(drawn.size() == 40);
  for (std::size_t epoch = 0; epoch < 4; ++epoch) {
    auto const first = drawn.begin() + static_cast<std::ptrdiff_t>(epoch * examples);
    CHECK(std::set<std::uint32_t>(first, first + examples).size() == examples);
  }
}

TEST_CASE("a batch may be larger than the training set") {
  Indices batch = batch_of_step(0, 0, 7, 3);
  REQUIRE(batch.size() == 7);
  std::sort(batch.begin(), batch.begin() + 3);
  CHECK(Indices(batch.begin(), batch.begin() + 3) == Indices{0, 1, 2});
}
